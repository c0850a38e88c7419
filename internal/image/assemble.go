package image

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Parts are what a Function's image is put together of.
type Parts struct {
	Base Base
	// Dependencies is the tag of the dependency layer in the repository of the
	// namespace's dependencies; empty for a Function that needs none.
	Dependencies, DependenciesRepository string
	// Source is the layer of the user's files.
	Source v1.Layer
}

// Assemble puts the parts together, tags the image in the repository and
// returns its digest. Of the layers only the source is moved: the others are
// in the registry already, and are mounted.
func (r *Registry) Assemble(ctx context.Context, repository, tag string, parts Parts) (string, error) {
	image, err := r.image(ctx, runtimesRepository, parts.Base.tag)
	if err != nil {
		return "", err
	}
	if parts.Dependencies != "" {
		dependencies, err := r.image(ctx, parts.DependenciesRepository, parts.Dependencies)
		if err != nil {
			return "", err
		}
		layers, err := dependencies.Layers()
		if err != nil {
			return "", fmt.Errorf("read dependency layer %s: %w", parts.Dependencies, err)
		}
		if image, err = mutate.AppendLayers(image, layers...); err != nil {
			return "", fmt.Errorf("append dependency layer %s: %w", parts.Dependencies, err)
		}
	}
	if image, err = mutate.AppendLayers(image, parts.Source); err != nil {
		return "", fmt.Errorf("append source layer: %w", err)
	}
	if err := r.push(ctx, repository, tag, image); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("digest image %s:%s: %w", repository, tag, err)
	}
	return digest.String(), nil
}
