package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"kyma-project.io/serverless/tools/images/internal/layer"
	"kyma-project.io/serverless/tools/images/internal/store"
)

func TestSameContentGivesSameDigest(t *testing.T) {
	first := build(t, newStore(t), hostDir(t, time.Now()), "a")
	second := build(t, newStore(t), hostDir(t, time.Now().Add(-time.Hour)), "a")
	if digest(t, first) != digest(t, second) {
		t.Errorf("%s and %s", digest(t, first), digest(t, second))
	}
}

func TestOtherContentGivesOtherDigest(t *testing.T) {
	dir := hostDir(t, time.Now())
	first := build(t, newStore(t), dir, "a")
	if err := os.WriteFile(filepath.Join(dir, "bin", "run"), []byte("other"), 0o755); err != nil {
		t.Fatal(err)
	}
	second := build(t, newStore(t), dir, "a")
	if digest(t, first) == digest(t, second) {
		t.Error("the digest is the same")
	}
}

func TestLayerIsMadeOncePerInputs(t *testing.T) {
	images := newStore(t)
	build(t, images, hostDir(t, time.Now()), "a")
	_, err := layer.Cached(t.Context(), images, []string{"a"}, func() (layer.Tree, error) {
		return nil, errors.New("made again")
	})
	if err != nil {
		t.Error(err)
	}
	_, err = layer.Cached(t.Context(), images, []string{"b"}, func() (layer.Tree, error) {
		return nil, errors.New("made again")
	})
	if err == nil {
		t.Error("other inputs were taken for the same")
	}
}

func TestLayerIsSortedAndOwnedByRootWithFixedTimes(t *testing.T) {
	built := build(t, newStore(t), hostDir(t, time.Now()), "a")
	got := list(t, built)
	want := []string{
		"app/ drwxr-xr-x 0:0 1980",
		"app/bin/ drwxr-xr-x 0:0 1980",
		"app/bin/run -rwxr-xr-x 0:0 1980",
		"app/data -rw-r--r-- 0:0 1980",
		"app/link Lrwxrwxrwx 0:0 1980",
		"etc/ drwxr-xr-x 0:0 1980",
		"etc/passwd -rw-r--r-- 0:0 1980",
		"tmp/ dtrwxrwxrwx 0:0 1980",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestKeptDigestsAreThoseOfTheContent(t *testing.T) {
	image, err := mutate.AppendLayers(empty.Image, build(t, newStore(t), hostDir(t, time.Now()), "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
}

func TestArchiveComesInUnderNewNames(t *testing.T) {
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, header := range []*tar.Header{
		{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./bin/su", Typeflag: tar.TypeReg, Mode: 0o4755},
		{Name: "./bin/twin", Typeflag: tar.TypeLink, Linkname: "./bin/su"},
		{Name: "./doc/su", Typeflag: tar.TypeReg, Mode: 0o644},
	} {
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}

	tree := layer.Tree{}
	err := tree.AddTar(&archive, func(name string) string {
		if strings.HasPrefix(name, "doc/") {
			return ""
		}
		return "usr/" + name
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	for name, node := range tree {
		got[name] = node.Mode
	}
	want := map[string]fs.FileMode{"usr/bin": fs.ModeDir | 0o755, "usr/bin/su": 0o755, "usr/bin/twin": 0o755}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func hostDir(t *testing.T, modified time.Time) string {
	t.Helper()
	dir := t.TempDir()
	err := errors.Join(
		os.Mkdir(filepath.Join(dir, "bin"), 0o700),
		os.WriteFile(filepath.Join(dir, "bin", "run"), []byte("#!/bin/sh"), 0o744),
		os.WriteFile(filepath.Join(dir, "data"), []byte("data"), 0o600),
		os.Symlink("bin/run", filepath.Join(dir, "link")),
		os.Chtimes(filepath.Join(dir, "data"), modified, modified),
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func build(t *testing.T, images *store.Store, dir string, inputs ...string) v1.Layer {
	t.Helper()
	built, err := layer.Cached(t.Context(), images, inputs, func() (layer.Tree, error) {
		tree := layer.Tree{}
		tree.File("/etc/passwd", []byte("root"))
		tree.Dir("/tmp", fs.ModeSticky|0o777)
		return tree, tree.AddDir("app", dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func list(t *testing.T, built v1.Layer) []string {
	t.Helper()
	content, err := built.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var entries []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, strings.Join([]string{
			header.Name, header.FileInfo().Mode().String(), "0:0", header.ModTime.UTC().Format("2006"),
		}, " "))
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s is owned by %d:%d", header.Name, header.Uid, header.Gid)
		}
	}
}

func digest(t *testing.T, built v1.Layer) v1.Hash {
	t.Helper()
	hash, err := built.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return images
}
