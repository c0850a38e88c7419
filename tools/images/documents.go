package main

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/contents"
	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// attacher is a publisher that can attach something to what it has published.
type attacher interface {
	Attach(ctx context.Context, name string, to image.Pushable, artifact referrer.Artifact) error
}

// attachDocuments attaches to each image the list of what is in it, and to an
// index of images that of what is in any of them.
func attachDocuments(ctx context.Context, cache *store.Store, to attacher, t target, joined image.Pushable, images []v1.Image) error {
	var all []sbom.Package
	for _, one := range images {
		packages, err := contents.Packages(ctx, cache, one)
		if err != nil {
			return err
		}
		packages = append(packages, t.more...)
		all = append(all, packages...)
		if err := attachDocument(ctx, to, t.name, one, packages); err != nil {
			return err
		}
	}
	if len(images) == 1 {
		return nil
	}
	return attachDocument(ctx, to, t.name, joined, all)
}

func attachDocument(ctx context.Context, to attacher, name string, of image.Pushable, packages []sbom.Package) error {
	digest, err := of.Digest()
	if err != nil {
		return err
	}
	// Images have no time, and so their documents have none.
	document, err := sbom.Document(sbom.Subject{Name: name, Digest: digest.String(), Created: time.Unix(0, 0)}, sbom.Listing{Packages: packages})
	if err != nil {
		return err
	}
	if err := to.Attach(ctx, name, of, referrer.Artifact{Type: sbom.MediaType, Content: document}); err != nil {
		return fmt.Errorf("attach the list of packages to %s@%s: %w", name, digest, err)
	}
	return nil
}
