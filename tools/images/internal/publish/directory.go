package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/layer"
)

// Directory publishes the files of images to a directory, for who runs them
// without a container engine.
type Directory struct{ dir string }

// NewDirectory has an image's files in the directory of its name below dir.
func NewDirectory(dir string) *Directory { return &Directory{dir: dir} }

// digestFile says which image is unpacked; it is next to the image's directory.
const digestFile = ".digest"

// Publish unpacks the image, unless it is there already, and returns its directory.
func (d *Directory) Publish(_ context.Context, imageName string, what image.Pushable) (string, error) {
	built, ok := what.(v1.Image)
	if !ok {
		return "", fmt.Errorf("unpack %s: it is for several platforms; give one with --platform", imageName)
	}
	digest, err := built.Digest()
	if err != nil {
		return "", err
	}
	root := filepath.Join(d.dir, imageName)
	if found, err := os.ReadFile(root + digestFile); err == nil && string(found) == digest.String() {
		return root, nil
	}
	files := mutate.Extract(built)
	defer files.Close()
	tree := layer.Tree{}
	err = errors.Join(
		tree.AddTar(files, func(name string) string { return strings.TrimPrefix(name, "/") }),
		os.RemoveAll(root+digestFile), os.RemoveAll(root))
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w", imageName, err)
	}
	if err := errors.Join(tree.WriteTo(root), os.WriteFile(root+digestFile, []byte(digest.String()), 0o644)); err != nil {
		return "", fmt.Errorf("unpack %s: %w", imageName, err)
	}
	return root, nil
}
