package binaries

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
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
		image, err := imageOf(binary)
		if err != nil {
			return fmt.Errorf("make pause image: %w", err)
		}
		tag, err := name.NewTag(ref)
		if err != nil {
			return fmt.Errorf("parse image name: %w", err)
		}
		return tarball.WriteToFile(filepath.Join(dir, "image.tar"), tag, image)
	})
	return filepath.Join(dir, "image.tar"), err
}

// imageOf makes an image that holds and runs one static program.
func imageOf(binary string) (v1.Image, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: filepath.Base(binary), Mode: 0o755, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files.Bytes())), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/" + filepath.Base(binary)}, User: "65535:65535"}
	return mutate.ConfigFile(image, config)
}
