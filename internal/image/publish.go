package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"kyma-project.io/serverless/internal/access"
)

// Target is where a build publishes a layer.
type Target struct {
	// Reference is the image, with a tag.
	Reference string
	// PlainHTTP allows a registry without TLS.
	PlainHTTP bool
	// Labels of the image.
	Labels map[string]string
	// TokenFile holds the token to log in with. If it is empty, credentials come
	// from the Docker configuration of the process.
	TokenFile string
}

// PushLayer tags an image which consists of the one layer that the reader
// gives as an uncompressed tar, and returns its digest. The layer is
// compressed and sent while it is read, so that memory doesn't grow with it.
func (t Target) PushLayer(ctx context.Context, content io.ReadCloser) (string, error) {
	reference, err := parseTag(t.Reference, t.PlainHTTP)
	if err != nil {
		return "", err
	}
	layer := stream.NewLayer(content, stream.WithMediaType(types.OCILayer))
	base, err := mutate.Config(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		v1.Config{Labels: t.Labels})
	if err != nil {
		return "", fmt.Errorf("label image of layer: %w", err)
	}
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return "", fmt.Errorf("make image of layer: %w", err)
	}
	login := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	if t.TokenFile != "" {
		login = remote.WithAuth(tokenFile(t.TokenFile))
	}
	if err := remote.Write(reference, image, remote.WithContext(ctx), login); err != nil {
		return "", &UnavailableError{Registry: reference.RegistryStr(), Err: err}
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("digest image of layer: %w", err)
	}
	return digest.String(), nil
}

// tokenFile logs in with the token that the file has at the time: the kubelet
// replaces it before it expires, which may be during a long push.
type tokenFile string

// Authorization implements authn.Authenticator.
func (f tokenFile) Authorization() (*authn.AuthConfig, error) {
	token, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("read token to push with: %w", err)
	}
	return &authn.AuthConfig{Username: access.TokenUser, Password: strings.TrimSpace(string(token))}, nil
}
