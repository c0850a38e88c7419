package program_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"kyma-project.io/serverless/tools/images/internal/program"
	"kyma-project.io/serverless/tools/images/internal/store"
)

var hello = program.Program{Name: "hello", Description: "Says hello", Package: "cmd/hello", Path: "/app/hello"}

func TestSameSourceGivesSameImage(t *testing.T) {
	// Two clones in different places, compiled apart.
	first, second := build(t, newModule(t, "hello")), build(t, newModule(t, "hello"))
	if first != second {
		t.Errorf("%s and %s", first, second)
	}
	if other := build(t, newModule(t, "goodbye")); other == first {
		t.Error("another source has the same image")
	}
}

func TestImageRunsTheProgramAsNonroot(t *testing.T) {
	image, err := newBuilder(t, newModule(t, "hello")).Build(t.Context(), hello, platform(goruntime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.User != "65532:65532" || file.Config.Entrypoint[0] != "/app/hello" || file.Architecture != goruntime.GOARCH {
		t.Errorf("user %s, entrypoint %v, architecture %s", file.Config.User, file.Config.Entrypoint, file.Architecture)
	}
}

func TestBrokenProgramIsNamed(t *testing.T) {
	for name, test := range map[string]struct{ source, pkg, want string }{
		"not there":        {"hello", "cmd/elsewhere", "compile cmd/elsewhere"},
		"does not compile": {`"`, "cmd/hello", "cmd/hello/main.go:1"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := hello
			broken.Package = test.pkg
			_, err := newBuilder(t, newModule(t, test.source)).Build(t.Context(), broken, platform(goruntime.GOARCH))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func build(t *testing.T, root string) v1.Hash {
	t.Helper()
	image, err := newBuilder(t, root).Build(t.Context(), hello, platform(goruntime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func newBuilder(t *testing.T, root string) *program.Builder {
	t.Helper()
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &program.Builder{Root: root, Images: images, Base: func(context.Context, v1.Platform) (v1.Layer, error) {
		return static.NewLayer([]byte("base"), types.OCILayer), nil
	}}
}

func newModule(t *testing.T, word string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "cmd", "hello")
	err := errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(root, "go.mod"), []byte("module hello\n\ngo 1.26.0\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(`package main; func main() { println("`+word+`") }`), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func platform(arch string) v1.Platform { return v1.Platform{OS: "linux", Architecture: arch} }
