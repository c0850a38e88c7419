package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"kyma-project.io/serverless/tests/cluster/internal/image"
)

// PauseImage returns the path of an image named ref, as a tarball, with the
// program that pods' sandboxes run. Module is the directory of this module.
func PauseImage(ctx context.Context, root, module, ref string) (string, error) {
	pkg := filepath.Join(module, "internal/pause")
	source, err := os.ReadFile(filepath.Join(pkg, "main.go"))
	if err != nil {
		return "", fmt.Errorf("read source: %w", err)
	}
	dir, err := cached(root, "pause", keyOf(string(source), ref, runtime.GOARCH), func(dir string) error {
		binary := filepath.Join(dir, "pause")
		if err := goCommand(ctx, module, nil, "build", "-ldflags", "-s -w", "-o", binary, "./internal/pause"); err != nil {
			return fmt.Errorf("build pause: %w", err)
		}
		content, err := image.OfProgram(binary)
		if err != nil {
			return fmt.Errorf("make pause image: %w", err)
		}
		tag, err := name.NewTag(ref)
		if err != nil {
			return fmt.Errorf("parse image name: %w", err)
		}
		return tarball.WriteToFile(filepath.Join(dir, "image.tar"), tag, content)
	})
	return filepath.Join(dir, "image.tar"), err
}
