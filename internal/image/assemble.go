package image

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"kyma-project.io/serverless/internal/referrer"
)

// PackagesLabel on a dependency layer's image holds the list of its packages.
const PackagesLabel = "io.kyma-project.serverless.packages"

// Parts are what a Function's image is put together of.
type Parts struct {
	Base Base
	// Dependencies is the tag of the dependency layer in the repository of the
	// namespace's dependencies; empty for a Function that needs none.
	Dependencies, DependenciesRepository string
	// Source is the layer of the user's files.
	Source v1.Layer
	// Annotations of the image.
	Annotations map[string]string
	// About gives what is attached to the image; it may be nil.
	About func(Assembled) ([]referrer.Artifact, error)
}

// Assembled is an image before it is pushed.
type Assembled struct {
	// Digest of the image, of its source layer, and of its dependency layer, if it has one.
	Digest, Source, Dependencies string
	// Packages is the dependency layer's PackagesLabel.
	Packages string
}

// Assemble puts the parts together, tags the image in the repository and
// returns its digest. Of the layers only the source is moved: the others are
// in the registry already, and are mounted.
func (r *Registry) Assemble(ctx context.Context, repository, tag string, parts Parts) (string, error) {
	image, found, err := r.assemble(ctx, parts)
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("digest image %s:%s: %w", repository, tag, err)
	}
	found.Digest = digest.String()
	var artifacts []referrer.Artifact
	if parts.About != nil {
		if artifacts, err = parts.About(found); err != nil {
			return "", fmt.Errorf("describe image %s:%s: %w", repository, tag, err)
		}
	}
	if err := r.pushWith(ctx, repository, tag, image, artifacts); err != nil {
		return "", err
	}
	return found.Digest, nil
}

func (r *Registry) assemble(ctx context.Context, parts Parts) (v1.Image, Assembled, error) {
	var found Assembled
	image, err := r.image(ctx, runtimesRepository, parts.Base.tag)
	if err != nil {
		return nil, found, err
	}
	if parts.Dependencies != "" {
		dependencies, err := r.image(ctx, parts.DependenciesRepository, parts.Dependencies)
		if err != nil {
			return nil, found, err
		}
		layers, err := dependencies.Layers()
		if err != nil {
			return nil, found, fmt.Errorf("read dependency layer %s: %w", parts.Dependencies, err)
		}
		if found.Dependencies, found.Packages, err = described(dependencies, layers); err != nil {
			return nil, found, fmt.Errorf("read dependency layer %s: %w", parts.Dependencies, err)
		}
		if image, err = mutate.AppendLayers(image, layers...); err != nil {
			return nil, found, fmt.Errorf("append dependency layer %s: %w", parts.Dependencies, err)
		}
	}
	if image, err = mutate.AppendLayers(image, parts.Source); err != nil {
		return nil, found, fmt.Errorf("append source layer: %w", err)
	}
	source, err := parts.Source.Digest()
	if err != nil {
		return nil, found, fmt.Errorf("digest source layer: %w", err)
	}
	found.Source = source.String()
	return mutate.Annotations(image, parts.Annotations).(v1.Image), found, nil
}

// described returns the digest of the dependency layer, and its list of packages.
func described(dependencies v1.Image, layers []v1.Layer) (digest, packages string, err error) {
	config, err := dependencies.ConfigFile()
	if err != nil {
		return "", "", err
	}
	if len(layers) != 1 {
		return "", "", fmt.Errorf("it has %d layers, not one", len(layers))
	}
	hash, err := layers[0].Digest()
	return hash.String(), config.Config.Labels[PackagesLabel], err
}
