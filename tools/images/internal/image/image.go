// Package image puts layers together to images, and images of several
// platforms to one.
package image

import (
	"fmt"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Labels are the standard labels that all images have. There is no version and
// no revision among them on purpose: an image whose content did not change
// keeps its digest, and what was built on it stays valid.
func Labels(name, description string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       name,
		"org.opencontainers.image.description": description,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.vendor":      "kyma-project.io",
	}
}

// Image is an OCI image of layers for one platform. Its manifest has the labels
// as annotations, where they can be read without pulling the configuration.
func Image(platform v1.Platform, config v1.Config, layers ...v1.Layer) (v1.Image, error) {
	base := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	base = mutate.ConfigMediaType(base, types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layers...)
	if err != nil {
		return nil, fmt.Errorf("assemble image: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("assemble image: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = platform.OS, platform.Architecture, platform.Variant
	file.Config = config
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, fmt.Errorf("assemble image: %w", err)
	}
	return mutate.Annotations(image, config.Labels).(v1.Image), nil
}

// Pushable is an image of one platform, or an index of images.
type Pushable interface {
	Digest() (v1.Hash, error)
	Size() (int64, error)
	MediaType() (types.MediaType, error)
	RawManifest() ([]byte, error)
}

// Join is the image itself if there is one, or the index of images, in the
// order of platforms.
func Join(platforms []v1.Platform, images []v1.Image) (Pushable, error) {
	if len(images) == 1 {
		return images[0], nil
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var annotations map[string]string
	for i, image := range images {
		manifest, err := image.Manifest()
		if err != nil {
			return nil, fmt.Errorf("join images: %w", err)
		}
		annotations = maps.Clone(manifest.Annotations)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &platforms[i]},
		})
	}
	return mutate.Annotations(index, annotations).(v1.ImageIndex), nil
}

// Size is the number of bytes that a node pulls for an image.
func Size(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}
