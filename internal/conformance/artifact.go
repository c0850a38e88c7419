package conformance

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/moduleconfig"
)

// maxBlob bounds what is read of a bundle that others may have made, in bytes.
const maxBlob = 16 << 20

// configMediaTypes are what OCM took and takes.
var configMediaTypes = []string{
	bundle.MediaTypeConfig,
	"application/vnd.gardener.cloud.cnudie.component.config.v1+json",
	"application/vnd.oci.gardener.cloud.cnudie.component-descriptor-metadata.config.v2+json",
}

// artifact is a bundle as it was read.
type artifact struct {
	layers     []ocispec.Descriptor
	blobs      map[digest.Digest][]byte
	descriptor []byte
}

func (a *artifact) layer(of string) (ocispec.Descriptor, bool) {
	i := slices.IndexFunc(a.layers, func(layer ocispec.Descriptor) bool { return layer.Digest.String() == of })
	if i < 0 {
		return ocispec.Descriptor{}, false
	}
	return a.layers[i], true
}

func (c *check) readArtifact(ctx context.Context) (*artifact, error) {
	if err := moduleconfig.CheckVersion(c.version); err != nil {
		c.violate(RuleVersion, "the version %v", err)
		return nil, nil
	}
	root, err := c.from.Resolve(ctx, c.version)
	if err != nil {
		return nil, fmt.Errorf("find bundle %s:%s: %w; was it pushed there?", c.component, c.version, err)
	}
	if root.MediaType != ocispec.MediaTypeImageManifest {
		c.violate(RuleArtifact, "media type %s, want %s", root.MediaType, ocispec.MediaTypeImageManifest)
		return nil, nil
	}
	text, err := content.FetchAll(ctx, c.from, root)
	if err != nil {
		return nil, fmt.Errorf("read manifest of %s: %w", c.component, err)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil || manifest.SchemaVersion != 2 {
		c.violate(RuleArtifact, "no OCI manifest of schema version 2: %v", err)
		return nil, nil
	}
	if !slices.Contains(configMediaTypes, manifest.Config.MediaType) {
		c.violate(RuleConfigMediaType, "%s, want %s", manifest.Config.MediaType, bundle.MediaTypeConfig)
	}
	read := &artifact{layers: manifest.Layers, blobs: map[digest.Digest][]byte{}}
	for _, layer := range append([]ocispec.Descriptor{manifest.Config}, manifest.Layers...) {
		blob, err := c.readBlob(ctx, layer)
		if err != nil {
			return nil, err
		}
		read.blobs[layer.Digest] = blob
	}
	c.findDescriptor(read, read.blobs[manifest.Config.Digest])
	return read, nil
}

func (c *check) readBlob(ctx context.Context, layer ocispec.Descriptor) ([]byte, error) {
	if layer.Size > maxBlob {
		c.violate(RuleArtifact, "layer %s has %d bytes, more than %d", layer.Digest, layer.Size, maxBlob)
		return nil, nil
	}
	blob, err := content.FetchAll(ctx, c.from, layer)
	switch {
	case errors.Is(err, errdef.ErrNotFound), errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		c.violate(RuleArtifact, "layer %s: %v", layer.Digest, err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read layer %s of %s: %w", layer.Digest, c.component, err)
	}
	return blob, nil
}

func (c *check) findDescriptor(read *artifact, config []byte) {
	var named bundle.ConfigBlob
	if err := json.Unmarshal(config, &named); err != nil || named.ComponentDescriptorLayer == nil || named.ComponentDescriptorLayer.Digest == "" {
		c.violate(RuleDescriptorLayer, "the artifact's configuration names no componentDescriptorLayer with a digest")
		return
	}
	layer, found := read.layer(named.ComponentDescriptorLayer.Digest)
	if !found {
		c.violate(RuleDescriptorLayer, "%s is no layer of the artifact", named.ComponentDescriptorLayer.Digest)
		return
	}
	for _, mediaType := range []string{layer.MediaType, named.ComponentDescriptorLayer.MediaType} {
		if mediaType != bundle.MediaTypeDescriptor {
			c.violate(RuleDescriptorLayer, "media type %s, want %s", mediaType, bundle.MediaTypeDescriptor)
			return
		}
	}
	read.descriptor = read.blobs[layer.Digest]
}

// readDescriptor returns nil if there is nothing to go on with.
func (c *check) readDescriptor(read *artifact) *bundle.Descriptor {
	if read.descriptor == nil {
		return nil
	}
	text, name, ok := c.onlyFile(read.descriptor, RuleDescriptorFile, "the descriptor's layer")
	if !ok {
		return nil
	}
	if name != bundle.DescriptorFile {
		c.violate(RuleDescriptorFile, "the archive's entry is %q, want %q", name, bundle.DescriptorFile)
		return nil
	}
	if len(text) > bundle.MaxDescriptor {
		c.violate(RuleDescriptorSize, "%d bytes, lifecycle-manager reads at most %d", len(text), bundle.MaxDescriptor)
		return nil
	}
	var descriptor bundle.Descriptor
	if err := yaml.Unmarshal(text, &descriptor); err != nil {
		c.violate(RuleDescriptorSchema, "%v", err)
		return nil
	}
	return &descriptor
}

// onlyFile returns the archive's first file, as lifecycle-manager reads it.
func (c *check) onlyFile(archive []byte, rule Rule, what string) (text []byte, name string, ok bool) {
	if kind := compression(archive); kind != "" {
		c.violate(RuleUncompressed, "%s is compressed with %s", what, kind)
		return nil, "", false
	}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if err != nil {
			c.violate(rule, "%s is no archive with a file: %v", what, err)
			return nil, "", false
		}
		if header.Typeflag != tar.TypeReg || strings.HasPrefix(header.Name, "._") {
			continue
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			c.violate(rule, "%s is a broken archive: %v", what, err)
			return nil, "", false
		}
		return text, header.Name, true
	}
}

func compression(blob []byte) string {
	switch {
	case bytes.HasPrefix(blob, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(blob, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	}
	return ""
}
