// Package signature signs OCI artifacts as cosign does, and verifies what it or
// cosign signed, in the format that `cosign verify --key` reads
// (docs/decisions/signatures.md).
package signature

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// The format of cosign.
const (
	mediaTypePayload    = "application/vnd.dev.cosign.simplesigning.v1+json"
	annotationSignature = "dev.cosignproject.cosign/signature"
)

// Tag is where an artifact's signatures are, in its repository.
func Tag(of ocispec.Descriptor) string {
	return strings.Replace(of.Digest.String(), ":", "-", 1) + ".sig"
}

// Sign adds a signature of the artifact to those that are in the repository,
// whose name it states. The same key signs the same artifact once.
func Sign(ctx context.Context, target oras.Target, repository string, artifact ocispec.Descriptor, key *ecdsa.PrivateKey) error {
	signed, err := layerOf(repository, artifact, key)
	if err != nil {
		return fmt.Errorf("sign %s@%s: %w", repository, artifact.Digest, err)
	}
	present, err := signatures(ctx, target, artifact)
	if err != nil && !errors.Is(err, errdef.ErrNotFound) {
		return fmt.Errorf("read signatures of %s@%s: %w", repository, artifact.Digest, err)
	}
	if slices.ContainsFunc(present, func(other ocispec.Descriptor) bool {
		return other.Digest == signed.descriptor.Digest && other.Annotations[annotationSignature] == signed.descriptor.Annotations[annotationSignature]
	}) {
		return nil
	}
	if err := signed.push(ctx, target); err != nil {
		return fmt.Errorf("push signature of %s@%s: %w", repository, artifact.Digest, err)
	}
	if err := pushManifest(ctx, target, Tag(artifact), append(present, signed.descriptor)); err != nil {
		return fmt.Errorf("push signatures of %s@%s: %w", repository, artifact.Digest, err)
	}
	return nil
}

// blob is content with its descriptor.
type blob struct {
	descriptor ocispec.Descriptor
	content    []byte
}

func (b blob) push(ctx context.Context, target oras.Target) error {
	exists, err := target.Exists(ctx, b.descriptor)
	if err != nil || exists {
		return err
	}
	return target.Push(ctx, b.descriptor, bytes.NewReader(b.content))
}

// layerOf is the payload, with its signature as an annotation.
func layerOf(repository string, artifact ocispec.Descriptor, key *ecdsa.PrivateKey) (blob, error) {
	image, err := name.NewDigest(repository + "@" + artifact.Digest.String())
	if err != nil {
		return blob{}, err
	}
	text, err := payload.Cosign{Image: image}.MarshalJSON()
	if err != nil {
		return blob{}, err
	}
	// Without a source of randomness it is deterministic (RFC 6979).
	made, err := key.Sign(nil, digest(text), crypto.SHA256)
	if err != nil {
		return blob{}, err
	}
	layer := content.NewDescriptorFromBytes(mediaTypePayload, text)
	layer.Annotations = map[string]string{annotationSignature: base64.StdEncoding.EncodeToString(made)}
	return blob{layer, text}, nil
}

// signatures are the layers below the artifact's tag.
func signatures(ctx context.Context, target oras.ReadOnlyTarget, artifact ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	_, text, err := oras.FetchBytes(ctx, target, Tag(artifact), oras.DefaultFetchBytesOptions)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return nil, fmt.Errorf("parse manifest %s: %w", Tag(artifact), err)
	}
	return manifest.Layers, nil
}

// pushManifest tags the layers as an image: the form for registries that know
// images only.
func pushManifest(ctx context.Context, target oras.Target, tag string, layers []ocispec.Descriptor) error {
	image := ocispec.Image{RootFS: ocispec.RootFS{Type: "layers"}}
	for _, layer := range layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, layer.Digest)
	}
	config, err := json.Marshal(image)
	if err != nil {
		return err
	}
	configBlob := blob{content.NewDescriptorFromBytes(ocispec.MediaTypeImageConfig, config), config}
	if err := configBlob.push(ctx, target); err != nil {
		return err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: configBlob.descriptor, Layers: layers,
	})
	if err != nil {
		return err
	}
	_, err = oras.TagBytes(ctx, target, ocispec.MediaTypeImageManifest, manifest, tag)
	return err
}
