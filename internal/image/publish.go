package image

import (
	"archive/tar"
	"context"
	"errors"
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

// Target is where a build publishes a layer, or gets back what one published.
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
	if err := remote.Write(reference, image, remote.WithContext(ctx), t.login()); err != nil {
		return "", &UnavailableError{Registry: reference.RegistryStr(), Err: err}
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("digest image of layer: %w", err)
	}
	return digest.String(), nil
}

func (t Target) login() remote.Option {
	if t.TokenFile != "" {
		return remote.WithAuth(tokenFile(t.TokenFile))
	}
	return remote.WithAuthFromKeychain(authn.DefaultKeychain)
}

// PullFile returns the content, up to the limit, of a regular file in the image
// of one layer.
func (t Target) PullFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	reference, err := parseTag(t.Reference, t.PlainHTTP)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(reference, remote.WithContext(ctx), t.login())
	if err != nil {
		return nil, &UnavailableError{Registry: reference.RegistryStr(), Err: err}
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, &UnavailableError{Registry: reference.RegistryStr(), Err: err}
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("it has %d layers, not one", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		return nil, &UnavailableError{Registry: reference.RegistryStr(), Err: err}
	}
	defer content.Close()
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it has no such file")
		}
		if err != nil {
			return nil, &UnavailableError{Registry: reference.RegistryStr(), Err: err}
		}
		if header.Typeflag == tar.TypeReg && header.Name == inLayer(name, "") {
			return io.ReadAll(io.LimitReader(reader, limit))
		}
	}
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
