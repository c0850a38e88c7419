package contents_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/contents"
	"kyma-project.io/serverless/tools/images/internal/store"
)

func TestPackagesOfAllKindsAreFound(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	image := imageOf(t, map[string]string{
		"app/manager":                      string(code),
		"app/script":                       "#!/bin/sh",
		"usr/local/bin/node":               "\x7fELF of another language",
		"var/lib/dpkg/status.d/libc6":      "Package: libc6\nVersion: 2.41-12\nArchitecture: amd64\n",
		"app/node_modules/ms/package.json": `{"name": "ms", "version": "2.1.3"}`,
	})
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from the cache
		found, err := contents.Packages(t.Context(), images, image)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []sbom.Package{
			{Type: "deb", Name: "libc6", Version: "2.41-12", Architecture: "amd64"},
			{Type: "npm", Name: "ms", Version: "2.1.3"},
		} {
			if !slices.Contains(found, want) {
				t.Errorf("%v is not in %v", want, found)
			}
		}
		// A test's own program names no modules that it depends on.
		known := func(p sbom.Package) bool { return p.Type == "golang" && p.Name == "stdlib" && p.Version != "" }
		if !slices.ContainsFunc(found, known) {
			t.Errorf("Go's own library is not in %v", found)
		}
	}
}

func imageOf(t *testing.T, files map[string]string) v1.Image {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for name, content := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o755}
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	return image
}
