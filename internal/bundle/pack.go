package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"sigs.k8s.io/yaml"
)

// Annotations that OCM's own library sets.
const (
	annotationArtifact  = "software.ocm.artifact"
	annotationComponent = "software.ocm.componentversion"
	annotationCreator   = "software.ocm.creator"
	creator             = "kyma-serverless"
)

// layer is a resource's blob.
type layer struct {
	name, kind string
	content    []byte
	descriptor ocispec.Descriptor
}

// Bundle is a packed module. Equal modules give equal bundles.
type Bundle struct {
	// Descriptor is that of the OCI manifest.
	Descriptor ocispec.Descriptor
	// Tag is the version.
	Tag   string
	store *memory.Store
}

// Pack puts the module together.
func Pack(ctx context.Context, module *Module) (*Bundle, error) {
	layers, err := module.layers()
	if err != nil {
		return nil, err
	}
	component, err := module.component(layers)
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(Descriptor{Meta: Meta{SchemaVersion: "v2"}, Component: component})
	if err != nil {
		return nil, fmt.Errorf("write component descriptor: %w", err)
	}
	archive, err := Archive(File{DescriptorFile, text})
	if err != nil {
		return nil, err
	}
	artifact := &Artifact{Version: component.Version, Name: component.Name}
	artifact.addDescriptor(archive)
	for _, layer := range layers {
		artifact.add(layer.descriptor, layer.content)
	}
	return artifact.Pack(ctx)
}

func (m *Module) layers() ([]layer, error) {
	manifest, err := Archive(m.Manifest)
	if err != nil {
		return nil, err
	}
	layers := []layer{{name: RawManifest, kind: "directoryTree", content: manifest}}
	if m.DefaultCR.Content != nil {
		defaultCR, err := Archive(m.DefaultCR)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer{name: DefaultCR, kind: "directoryTree", content: defaultCR})
	}
	layers = append(layers, layer{name: ModuleTemplate, kind: "PlainText", content: m.Template.Content})
	for i := range layers {
		mediaType := MediaTypeTar
		if layers[i].name == ModuleTemplate {
			mediaType = MediaTypeFile
		}
		if layers[i].descriptor, err = layerDescriptor(mediaType, layers[i].name, layers[i].content); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

func layerDescriptor(mediaType, resource string, blob []byte) (ocispec.Descriptor, error) {
	identity, err := json.Marshal([]any{map[string]any{"kind": "resource", "identity": map[string]string{"name": resource}}})
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("write identity of %s: %w", resource, err)
	}
	descriptor := content.NewDescriptorFromBytes(mediaType, blob)
	descriptor.Annotations = map[string]string{annotationArtifact: string(identity)}
	return descriptor, nil
}

// Archive makes an uncompressed archive of one file, the same at any time.
func Archive(file File) ([]byte, error) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	header := &tar.Header{Name: file.Name, Mode: 0o644, Size: int64(len(file.Content)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := writer.WriteHeader(header); err != nil {
		return nil, fmt.Errorf("archive %s: %w", file.Name, err)
	}
	if _, err := writer.Write(file.Content); err != nil {
		return nil, fmt.Errorf("archive %s: %w", file.Name, err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("archive %s: %w", file.Name, err)
	}
	return archive.Bytes(), nil
}

// Artifact is a component's OCI artifact before it is packed.
type Artifact struct {
	Name, Version string
	// Config names the layer with the descriptor.
	Config ConfigBlob
	// ConfigMediaType is MediaTypeConfig, if it is empty.
	ConfigMediaType string
	Layers          []ocispec.Descriptor
	// Blobs are the layers' contents.
	Blobs [][]byte
}

func (a *Artifact) addDescriptor(archive []byte) {
	descriptor := content.NewDescriptorFromBytes(MediaTypeDescriptor, archive)
	a.add(descriptor, archive)
	a.Config.ComponentDescriptorLayer = &LayerReference{MediaTypeDescriptor, descriptor.Digest.String(), descriptor.Size}
}

func (a *Artifact) add(descriptor ocispec.Descriptor, blob []byte) {
	a.Layers = append(a.Layers, descriptor)
	a.Blobs = append(a.Blobs, blob)
}

// Pack puts the artifact together in memory.
func (a *Artifact) Pack(ctx context.Context) (*Bundle, error) {
	config, err := json.Marshal(a.Config)
	if err != nil {
		return nil, fmt.Errorf("write configuration of the artifact: %w", err)
	}
	configMediaType := MediaTypeConfig
	if a.ConfigMediaType != "" {
		configMediaType = a.ConfigMediaType
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.NewDescriptorFromBytes(configMediaType, config),
		Layers:    a.Layers,
		Annotations: map[string]string{
			annotationComponent: a.Name + ":" + a.Version,
			annotationCreator:   creator,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write manifest of the artifact: %w", err)
	}
	store := memory.New()
	for i, blob := range append([][]byte{config}, a.Blobs...) {
		mediaType := configMediaType
		if i > 0 {
			mediaType = a.Layers[i-1].MediaType
		}
		descriptor := content.NewDescriptorFromBytes(mediaType, blob)
		if exists, err := store.Exists(ctx, descriptor); err != nil || exists {
			continue
		}
		if err := store.Push(ctx, descriptor, bytes.NewReader(blob)); err != nil {
			return nil, fmt.Errorf("pack layer %s: %w", descriptor.Digest, err)
		}
	}
	descriptor, err := oras.TagBytes(ctx, store, ocispec.MediaTypeImageManifest, manifest, a.Version)
	if err != nil {
		return nil, fmt.Errorf("pack manifest: %w", err)
	}
	return &Bundle{Descriptor: descriptor, Tag: a.Version, store: store}, nil
}

// Publish copies the bundle to where it is used from, and tags it there.
func (b *Bundle) Publish(ctx context.Context, to oras.Target) error {
	if _, err := oras.Copy(ctx, b.store, b.Tag, to, b.Tag, oras.DefaultCopyOptions); err != nil {
		return fmt.Errorf("publish bundle %s: %w", b.Tag, err)
	}
	return nil
}

// Contents lets the bundle be read before it is published.
func (b *Bundle) Contents() oras.ReadOnlyTarget { return b.store }
