package lifecyclemanager

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"
)

// accessTypes are all that are known (contract/kyma.md 1.3, 4).
var accessTypes = []string{
	"localBlob", "localBlob/v1", "localOciBlob", "localOciBlob/v1", "ociArtifact", "ociArtifact/v1", "ociRegistry", "ociRegistry/v1",
}

// descriptorLimit is the largest descriptor, in bytes (contract/kyma.md 1.4).
const descriptorLimit = 100 << 10

// bundle is what a registry has of a version of a component.
type bundle struct {
	// manifest is the operator's, as YAML.
	manifest []byte
	// images are those that restricted markets copy.
	images []string
}

// descriptor has those parts of a component descriptor that matter for the
// installation (contract/kyma.md 1.4).
type descriptor struct {
	Component struct {
		RepositoryContexts []json.RawMessage
		Resources          []struct {
			Name   string
			Access struct{ Type, MediaType, LocalReference, ImageReference string }
		}
	}
}

// readBundle reads it as lifecycle-manager does: manifest by tag, its config,
// the descriptor's layer, the manifest's layer (contract/kyma.md 1.3 and 1.5).
func readBundle(registry, component, version string) (*bundle, error) {
	reference, err := name.NewTag(registry + "/component-descriptors/" + component + ":" + version)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(reference)
	if err != nil {
		return nil, fmt.Errorf("get bundle %s: %w", reference, err)
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("get config of %s: %w", reference, err)
	}
	var pointer struct {
		ComponentDescriptorLayer *struct{ Digest string }
	}
	if err := json.Unmarshal(config, &pointer); err != nil || pointer.ComponentDescriptorLayer == nil {
		return nil, fmt.Errorf("config of %s names no descriptor: %w", reference, err)
	}
	text, err := firstFile(reference.Context(), pointer.ComponentDescriptorLayer.Digest, "component-descriptor.yaml", descriptorLimit)
	if err != nil {
		return nil, fmt.Errorf("get descriptor of %s: %w", reference, err)
	}
	var found descriptor
	if err := yaml.Unmarshal(text, &found); err != nil {
		return nil, fmt.Errorf("decode descriptor of %s: %w", reference, err)
	}
	return found.bundle(reference.Context())
}

func (d *descriptor) bundle(repository name.Repository) (*bundle, error) {
	if len(d.Component.RepositoryContexts) == 0 {
		return nil, errors.New("could not determine render mode: the descriptor has no repositoryContexts")
	}
	var result bundle
	for _, resource := range d.Component.Resources {
		access := resource.Access
		if !slices.Contains(accessTypes, access.Type) {
			return nil, fmt.Errorf("resource %s: access type %s not supported", resource.Name, access.Type)
		}
		switch {
		case access.Type == "ociArtifact":
			result.images = append(result.images, access.ImageReference)
		case resource.Name == "raw-manifest" && access.MediaType == "application/x-tar":
			manifest, err := firstFile(repository, access.LocalReference, "", 1<<30)
			if err != nil {
				return nil, fmt.Errorf("get raw-manifest: %w", err)
			}
			result.manifest = manifest
		case resource.Name == "raw-manifest":
			return nil, fmt.Errorf("raw-manifest: media type %s would be taken for YAML", access.MediaType)
		}
	}
	if result.manifest == nil {
		return nil, errors.New("the descriptor has no raw-manifest")
	}
	return &result, nil
}

// firstFile is the first regular file of an archive that is a layer; if it is
// asked for by name, it must have exactly that one.
func firstFile(repository name.Repository, digest, file string, limit int64) ([]byte, error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	layer, err := remote.Layer(repository.Digest(hash.String()))
	if err != nil {
		return nil, err
	}
	blob, err := layer.Compressed()
	if err != nil {
		return nil, fmt.Errorf("get layer %s: %w", digest, err)
	}
	defer blob.Close()
	archive := tar.NewReader(blob)
	for {
		header, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("read archive %s: %w", digest, err)
		}
		if header.Typeflag != tar.TypeReg || strings.HasPrefix(header.Name, "._") || file != "" && header.Name != file {
			continue
		}
		if header.Size > limit {
			return nil, fmt.Errorf("entry %s of archive %s is too large: %d bytes", header.Name, digest, header.Size)
		}
		var content bytes.Buffer
		if _, err := io.Copy(&content, archive); err != nil {
			return nil, fmt.Errorf("read %s of archive %s: %w", header.Name, digest, err)
		}
		return content.Bytes(), nil
	}
}
