package image

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// DependenciesLabel on a published source holds the text of its dependencies file.
const DependenciesLabel = "io.kyma-project.serverless.source.dependencies"

// LockLabel on a published source names its lock file, and has that file's digest.
const LockLabel = "io.kyma-project.serverless.source.lock"

// CreatedLabel on a published source holds the time of its commit.
const CreatedLabel = "org.opencontainers.image.created"

// PublishedSource is a source that a Job published as a layer.
type PublishedSource struct {
	Layer v1.Layer
	// Content is the digest of the files, however they were compressed.
	Content string
	// Dependencies is the text of the dependencies file.
	Dependencies string
	// Lock is the label of its lock file, empty if there is none.
	Lock string
	// Created is the time of the commit; zero if it isn't known.
	Created time.Time
}

// FindSource returns the source that the tag names, or nil if there is none.
func (r *Registry) FindSource(ctx context.Context, repository, tag string) (*PublishedSource, error) {
	digest, err := r.Find(ctx, repository, tag)
	if digest == "" || err != nil {
		return nil, err
	}
	image, err := r.image(ctx, repository, tag)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, r.unavailable(fmt.Errorf("read configuration of source %s: %w", tag, err))
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, r.unavailable(fmt.Errorf("read layers of source %s: %w", tag, err))
	}
	if len(layers) != 1 || len(config.RootFS.DiffIDs) != 1 {
		return nil, fmt.Errorf("source %s has %d layers, not one; delete its image %s from the registry", tag, len(layers), digest)
	}
	labels := config.Config.Labels
	// Builders of before wrote none.
	created, _ := time.Parse(time.RFC3339, labels[CreatedLabel])
	return &PublishedSource{
		Layer: layers[0], Content: config.RootFS.DiffIDs[0].String(), Dependencies: labels[DependenciesLabel], Lock: labels[LockLabel], Created: created,
	}, nil
}
