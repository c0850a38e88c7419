// Package npm gets packages from the npm registry that this machine is
// configured for.
package npm

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/layer"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// exact is a version that always means the same package.
var exact = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// IsExact tells whether a version is one, and no range or tag.
func IsExact(version string) bool { return exact.MatchString(version) }

// Client gets packages, each once.
type Client struct{ Images *store.Store }

// Unpack adds the files of a package for which rename returns a name. Names are
// relative to the package.
func (c *Client) Unpack(ctx context.Context, tree layer.Tree, name, version string, rename func(file string) string) error {
	archive, err := c.fetch(ctx, name+"@"+version)
	if err != nil {
		return err
	}
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("unpack npm package %s@%s: %w", name, version, err)
	}
	return tree.AddTar(content, func(file string) string {
		// The first directory of a package's archive can have any name.
		_, below, _ := strings.Cut(file, "/")
		if below == "" {
			return ""
		}
		return rename(below)
	})
}

// fetch returns the path of a package's archive, verified by npm.
func (c *Client) fetch(ctx context.Context, spec string) (string, error) {
	return c.Images.Entry(ctx, "npm", store.Key(spec), func(path string) error {
		dir, err := os.MkdirTemp(filepath.Dir(path), "pack-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		err = hosttool.Command{
			Name: "npm",
			Args: []string{"pack", "--ignore-scripts", "--silent", "--pack-destination", dir, spec},
			Dir:  dir,
		}.Run(ctx)
		if err != nil {
			return fmt.Errorf("get npm package %s: %w", spec, err)
		}
		archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("get npm package %s: npm left %d archives, want 1", spec, len(archives))
		}
		return os.Rename(archives[0], path)
	})
}

// CPU is what npm calls a Go architecture.
func CPU(goarch string) string {
	if goarch == "amd64" {
		return "x64"
	}
	return goarch
}
