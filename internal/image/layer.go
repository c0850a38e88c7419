package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// LayerFormat names the way in which layers are written. It is a part of each
// build's key: change it with any change of the bytes that equal files give.
const LayerFormat = "1"

// epoch is every file's time, so that equal content has an equal digest.
var epoch = time.Unix(0, 0).UTC()

// FilesLayer is a layer with the files, by their path below the directory.
func FilesLayer(directory string, files map[string][]byte) (v1.Layer, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	paths := make([]string, 0, len(files))
	for file := range files {
		paths = append(paths, file)
	}
	slices.Sort(paths)
	for _, file := range paths {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: inLayer(directory, file), Size: int64(len(files[file])), Mode: 0o644, ModTime: epoch,
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write %s to layer: %w", file, err)
		}
		if _, err := writer.Write(files[file]); err != nil {
			return nil, fmt.Errorf("write %s to layer: %w", file, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("finish layer: %w", err)
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// WriteTree writes the named entries of root, with all below them, as a layer
// in which they lie in the directory: in a fixed order, without times and owners.
func WriteTree(target io.Writer, root string, entries []string, directory string) error {
	writer := tar.NewWriter(target)
	for _, entry := range slices.Sorted(slices.Values(entries)) {
		// WalkDir goes in lexical order, which makes the order a fixed one.
		err := filepath.WalkDir(filepath.Join(root, entry), func(file string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			return writeEntry(writer, file, inLayer(directory, relative))
		})
		if err != nil {
			return fmt.Errorf("write %s to layer: %w", entry, err)
		}
	}
	if err := writer.Close(); err != nil {
		return fmt.Errorf("finish layer: %w", err)
	}
	return nil
}

func writeEntry(writer *tar.Writer, file, name string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, ModTime: epoch}
	switch {
	case info.IsDir():
		header.Typeflag, header.Name, header.Mode = tar.TypeDir, name+"/", 0o755
	case info.Mode()&fs.ModeSymlink != 0:
		header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
		if header.Linkname, err = os.Readlink(file); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		// Everybody may read, and run what its owner may run: the Function's user isn't the one who installed.
		header.Typeflag, header.Size, header.Mode = tar.TypeReg, info.Size(), 0o644
		if info.Mode()&0o100 != 0 {
			header.Mode = 0o755
		}
	default:
		return nil // Sockets and pipes can't be of use in an image.
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(writer, content)
	return err
}

// inLayer is the name in a layer of a path below an absolute directory.
func inLayer(directory, relative string) string {
	return strings.TrimPrefix(path.Join(directory, filepath.ToSlash(relative)), "/")
}
