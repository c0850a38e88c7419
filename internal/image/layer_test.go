package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/image"
)

func TestLayerOfEqualFilesIsEqual(t *testing.T) {
	files := map[string][]byte{}
	for i := range 20 {
		files[fmt.Sprintf("file%d.js", i)] = []byte{byte(i)}
	}
	first := layerDigest(t, files)
	for range 10 {
		// A map's order differs at each walk over it.
		again := map[string][]byte{}
		for name, content := range files {
			again[name] = content
		}
		if got := layerDigest(t, again); got != first {
			t.Fatalf("%s, then %s", first, got)
		}
	}
	files["file0.js"] = []byte("other")
	if layerDigest(t, files) == first {
		t.Error("other content has the same digest")
	}
}

func TestFilesLieInTheFunctionsDirectory(t *testing.T) {
	layer, err := image.FilesLayer("/usr/src/app/function", map[string][]byte{"package.json": []byte("{}"), "handler.js": []byte("main")})
	if err != nil {
		t.Fatal(err)
	}
	content, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	want := []string{
		"0 -rw-r--r-- usr/src/app/function/handler.js main", "0 -rw-r--r-- usr/src/app/function/package.json {}",
	}
	if got := entries(t, content); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTreeIsWrittenWithoutTimesAndOwners(t *testing.T) {
	first, second := tree(t), tree(t)
	old := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(second, "node_modules/ms/index.js"), old, old); err != nil {
		t.Fatal(err)
	}
	// The installer's umask is of no importance either.
	if err := os.Chmod(filepath.Join(second, "node_modules/ms"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(second, "node_modules/ms/index.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two := write(t, first, "node_modules", "bin"), write(t, second, "bin", "node_modules")
	if !bytes.Equal(one, two) {
		t.Error("equal trees give unequal layers")
	}
	want := []string{
		"0 -rwxr-xr-x usr/src/app/function/bin echo",
		"0 drwxr-xr-x usr/src/app/function/node_modules/ ",
		"0 drwxr-xr-x usr/src/app/function/node_modules/.bin/ ",
		"0 Lrwxrwxrwx usr/src/app/function/node_modules/.bin/ms -> ../ms/index.js",
		"0 drwxr-xr-x usr/src/app/function/node_modules/ms/ ",
		"0 -rw-r--r-- usr/src/app/function/node_modules/ms/index.js exports",
	}
	if got := entries(t, bytes.NewReader(one)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestMissingEntryIsAnError(t *testing.T) {
	err := image.WriteTree(io.Discard, t.TempDir(), []string{"node_modules"}, "/usr/src/app/function")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// tree is what an installer leaves: packages, links to their programs, and a file.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"node_modules/ms", "node_modules/.bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, mode := range map[string]os.FileMode{"node_modules/ms/index.js": 0o644, "bin": 0o755, "not-asked-for": 0o644} {
		content := map[bool]string{true: "echo", false: "exports"}[mode == 0o755]
		if err := os.WriteFile(filepath.Join(root, file), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../ms/index.js", filepath.Join(root, "node_modules/.bin/ms")); err != nil {
		t.Fatal(err)
	}
	return root
}

func write(t *testing.T, root string, names ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := image.WriteTree(&buffer, root, names, "/usr/src/app/function"); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// entries describes a tar: time, mode, name and content or target of each entry.
func entries(t *testing.T, content io.Reader) []string {
	t.Helper()
	var all []string
	reader := tar.NewReader(content)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if header.Linkname != "" {
			text = []byte("-> " + header.Linkname)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" {
			t.Errorf("%s has an owner", header.Name)
		}
		all = append(all, fmt.Sprintf("%d %s %s %s", header.ModTime.Unix(), header.FileInfo().Mode(), header.Name, text))
	}
}

func layerDigest(t *testing.T, files map[string][]byte) string {
	t.Helper()
	layer, err := image.FilesLayer("/function", files)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}
