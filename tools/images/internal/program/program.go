// Package program compiles the module's Go programs and makes their layers.
package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/debian"
	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/layer"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// Program is a command of this module that has an image.
type Program struct {
	Name        string // of the image
	Description string
	Package     string // relative to the module's root
	Path        string // of the executable in the image
}

// All are the programs with an image.
var All = []Program{
	{"serverless-operator", "Installs the Serverless module and keeps it", "cmd/operator", "/operator"},
	{"function-controller", "Turns Functions into running workloads", "cmd/function-controller", "/app/manager"},
	{"function-builder", "Builds the images of Functions", "cmd/builder", "/app/builder"},
	{"function-registry", "Stores the images of Functions", "cmd/registry", "/app/registry"},
	{"function-webhook", "Defaults and validates Functions, and warns", "cmd/webhook", "/app/webhook"},
}

// nonroot is the user whom the programs run as. Its number is what distroless
// images have made a habit.
const nonroot = 65532

// cryptographicModule is the version of Go's FIPS 140-3 module that the
// programs have; go.mod leaves its mode off unless it is asked for.
const cryptographicModule = "v1.0.0"

// Builder builds programs of the module in Root.
type Builder struct {
	Root   string
	Images *store.Store
	// Base makes the layer below every program, see Base.
	Base func(ctx context.Context, platform v1.Platform) (v1.Layer, error)
}

// Base is what a static binary needs to talk TLS and to have a user.
func Base(ctx context.Context, archive *debian.Archive) (v1.Layer, error) {
	packages, err := archive.Resolve(ctx, []string{"ca-certificates"})
	if err != nil {
		return nil, err
	}
	return archive.Layer(ctx, packages, []debian.Account{{Name: "nonroot", ID: nonroot, Home: "/home/nonroot"}})
}

// Build returns the image of a program for one platform.
func (b *Builder) Build(ctx context.Context, program Program, platform v1.Platform) (v1.Image, error) {
	base, err := b.Base(ctx, platform)
	if err != nil {
		return nil, err
	}
	executable, err := b.compile(ctx, program, platform)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", program.Package, err)
	}
	digest, err := fileDigest(executable)
	if err != nil {
		return nil, err
	}
	binary, err := layer.Cached(ctx, b.Images, []string{"program", program.Path, digest}, func() (layer.Tree, error) {
		tree := layer.Tree{}
		tree.Executable(program.Path, executable)
		return tree, nil
	})
	if err != nil {
		return nil, err
	}
	return image.Image(platform, v1.Config{
		User:       fmt.Sprintf("%d:%d", nonroot, nonroot),
		WorkingDir: "/",
		Entrypoint: []string{program.Path},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		Labels:     image.Labels(program.Name, program.Description),
	}, base, binary)
}

// compile returns the path of the executable. Its place lasts, so that Go finds
// the one it made before and links only what changed.
func (b *Builder) compile(ctx context.Context, program Program, platform v1.Platform) (string, error) {
	source := filepath.Join(b.Root, program.Package)
	if _, err := os.Stat(source); err != nil {
		return "", fmt.Errorf("%w; name the images that can be built", err)
	}
	key := store.Key(b.Root, platform.String())
	dir, err := b.Images.Dir("programs", key)
	if err != nil {
		return "", err
	}
	unlock, err := b.Images.Lock(ctx, path.Join("programs", key, program.Name))
	if err != nil {
		return "", err
	}
	defer unlock()
	executable := filepath.Join(dir, program.Name)
	return executable, hosttool.Command{
		Name: "go",
		Args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", executable, "./" + program.Package},
		Dir:  b.Root,
		Env:  []string{"CGO_ENABLED=0", "GOFIPS140=" + cryptographicModule, "GOOS=" + platform.OS, "GOARCH=" + platform.Architecture},
	}.Run(ctx)
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
