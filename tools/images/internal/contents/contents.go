// Package contents finds out what software an image consists of, by its files.
package contents

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/package-url/packageurl-go"

	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// format is part of the key of what was found. Raise it when Packages finds
// something else in the same image.
const format = "1"

// Packages are those of Debian, of npm and of Go in the image. Nothing is
// looked for twice in an image.
func Packages(ctx context.Context, images *store.Store, image v1.Image) ([]sbom.Package, error) {
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	path, err := images.Entry(ctx, "contents", store.Key(format, digest.String()), func(path string) error {
		found, err := scan(image)
		if err != nil {
			return err
		}
		text, err := json.Marshal(found)
		return errors.Join(err, os.WriteFile(path, text, 0o644))
	})
	if err != nil {
		return nil, fmt.Errorf("list what is in image %s: %w", digest, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []sbom.Package
	return found, json.Unmarshal(text, &found)
}

func scan(image v1.Image) ([]sbom.Package, error) {
	files := mutate.Extract(image)
	defer files.Close()
	var found []sbom.Package
	reader := tar.NewReader(files)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return sbom.Sorted(found), nil
		}
		if err != nil {
			return nil, err
		}
		more, err := inFile(header, reader)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", header.Name, err)
		}
		found = append(found, more...)
	}
}

func inFile(header *tar.Header, content io.Reader) ([]sbom.Package, error) {
	name := strings.TrimPrefix(header.Name, "/")
	switch {
	case header.Typeflag != tar.TypeReg:
		return nil, nil
	case sbom.IsMetadata(name):
		text, err := io.ReadAll(content)
		if err != nil {
			return nil, err
		}
		if one, ok := sbom.Installed(name, text); ok {
			return []sbom.Package{one}, nil
		}
		return nil, nil
	case header.Mode&0o111 != 0:
		return inProgram(content)
	}
	return nil, nil
}

// inProgram are the modules of a Go program, and Go's own library.
func inProgram(content io.Reader) ([]sbom.Package, error) {
	begin := make([]byte, 4)
	if _, err := io.ReadFull(content, begin); err != nil || string(begin) != "\x7fELF" {
		return nil, nil
	}
	rest, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(append(begin, rest...)))
	if err != nil {
		return nil, nil // Of another language.
	}
	found := []sbom.Package{
		{Type: packageurl.TypeGolang, Name: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")},
		{Type: packageurl.TypeGolang, Name: info.Main.Path},
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		found = append(found, sbom.Package{Type: packageurl.TypeGolang, Name: module.Path, Version: module.Version})
	}
	return found, nil
}
