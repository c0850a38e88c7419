package referrer

import (
	"bytes"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifest is what go-containerregistry pushes: it has no image with a subject
// and a type of its own.
type manifest []byte

func (m manifest) RawManifest() ([]byte, error)        { return m, nil }
func (m manifest) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (m manifest) reader() io.Reader                   { return bytes.NewReader(m) }
