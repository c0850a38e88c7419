package referrer

import (
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Read returns the contents of the artifacts of the type that are attached to
// the image.
func Read(image name.Digest, of types.MediaType, options ...remote.Option) ([][]byte, error) {
	index, err := remote.Referrers(image, options...)
	if err != nil {
		return nil, fmt.Errorf("list what is attached: %w", err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("list what is attached: %w", err)
	}
	var contents [][]byte
	for _, one := range list.Manifests {
		if one.ArtifactType != string(of) {
			continue
		}
		content, err := read(image.Context().Digest(one.Digest.String()), options)
		if err != nil {
			return nil, fmt.Errorf("read what is attached as %s: %w", of, err)
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func read(artifact name.Digest, options []remote.Option) ([]byte, error) {
	found, err := remote.Image(artifact, options...)
	if err != nil {
		return nil, err
	}
	layers, err := found.Layers()
	if err != nil {
		return nil, err
	}
	if len(layers) != 1 {
		return nil, fmt.Errorf("it has %d blobs, not one", len(layers))
	}
	blob, err := layers[0].Compressed()
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}
