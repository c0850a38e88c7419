// Package referrer attaches what is said about an image to it: artifacts of
// its repository whose subject is the image.
package referrer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyConfig is the configuration of what is no image.
var emptyConfig = static.NewLayer([]byte("{}"), "application/vnd.oci.empty.v1+json")

// Artifact is one blob about an image.
type Artifact struct {
	// Type says what it is, and in which format.
	Type        types.MediaType
	Annotations map[string]string
	Content     []byte
}

// Attach pushes the artifacts to the repository of the subject. The subject may
// follow later. Equal artifacts are attached once.
func Attach(ctx context.Context, pusher *remote.Pusher, repository name.Repository, subject v1.Descriptor, artifacts ...Artifact) error {
	if err := pusher.Upload(ctx, repository, emptyConfig); err != nil {
		return fmt.Errorf("push configuration of artifacts: %w", err)
	}
	// One after the other: without the referrers API each changes the same list.
	for _, artifact := range artifacts {
		manifest, err := artifact.manifest(subject)
		if err != nil {
			return err
		}
		digest, _, err := v1.SHA256(manifest.reader())
		if err != nil {
			return err
		}
		if err := pusher.Upload(ctx, repository, static.NewLayer(artifact.Content, artifact.Type)); err != nil {
			return fmt.Errorf("push %s: %w", artifact.Type, err)
		}
		if err := pusher.Put(ctx, repository.Digest(digest.String()), manifest); err != nil {
			return fmt.Errorf("attach %s to %s: %w", artifact.Type, subject.Digest, err)
		}
	}
	return nil
}

func (a Artifact) manifest(subject v1.Descriptor) (manifest, error) {
	config, err := Describe(emptyConfig)
	if err != nil {
		return nil, err
	}
	content, err := Describe(static.NewLayer(a.Content, a.Type))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: string(a.Type),
		Config: config, Layers: []v1.Descriptor{content}, Subject: &subject, Annotations: a.Annotations,
	})
	if err != nil {
		return nil, fmt.Errorf("write manifest of %s: %w", a.Type, err)
	}
	return text, nil
}

// Describe names what something can be attached to, or points at a blob.
func Describe(what partial.Describable) (v1.Descriptor, error) {
	digest, err := what.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := what.Size()
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := what.MediaType()
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
}
