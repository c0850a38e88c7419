package image

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

const forms = "write it as repository:tag, repository@sha256:… or repository:tag@sha256:…"

// CheckReference tells what is wrong with a reference to an image: it names a
// tag, a digest or both. Without either it would be whatever is newest.
func CheckReference(text string) error {
	if text != strings.TrimSpace(text) {
		return fmt.Errorf("%q begins or ends with a space; remove it", text)
	}
	parsed, err := name.ParseReference(text, name.WithDefaultTag(""))
	if err != nil {
		// Not with the library's reason, which says no more than this.
		return fmt.Errorf("%q is no image reference; %s", text, forms)
	}
	if parsed.Identifier() == "" {
		return fmt.Errorf("%q names neither a tag nor a digest; %s", text, forms)
	}
	return nil
}
