package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/layer"
)

// What installing and building leave behind. In the source tree it is a
// developer's own, and no part of the source.
const (
	installed = "node_modules"
	built     = "dist"
)

// server is the layer of the program that runs Functions, with its production
// dependencies. It is the same for all platforms.
func (b *Builder) server(ctx context.Context, spec Spec) (v1.Layer, error) {
	source, err := sourceDigest(spec.dir)
	if err != nil {
		return nil, err
	}
	inputs := []string{"server", source, spec.Install, spec.Workdir, fmt.Sprint(spec.Files)}
	return layer.Cached(ctx, b.Images, inputs, func() (layer.Tree, error) {
		dir, err := os.MkdirTemp("", "runtime-*")
		if err != nil {
			return nil, err
		}
		// The layer's content is read before this is removed: see Tree.Load.
		defer os.RemoveAll(dir)
		if err := copySource(dir, spec.dir); err != nil {
			return nil, err
		}
		if err := install(ctx, dir, spec.Install); err != nil {
			return nil, err
		}
		return serverTree(dir, spec)
	})
}

// install runs a shell command. No package's scripts run in it: they would be
// strangers' code on this machine.
func install(ctx context.Context, dir, command string) error {
	err := hosttool.Command{
		Name: "sh",
		Args: []string{"-euc", command},
		Dir:  dir,
		Env: []string{
			"npm_config_ignore_scripts=true",
			"npm_config_audit=false",
			"npm_config_fund=false",
			"npm_config_update_notifier=false",
		},
	}.Run(ctx)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

func serverTree(dir string, spec Spec) (layer.Tree, error) {
	tree := layer.Tree{}
	for _, file := range append([]string{installed}, spec.Files...) {
		if err := tree.AddDir(path.Join(spec.Workdir, file), filepath.Join(dir, file)); err != nil {
			return nil, err
		}
	}
	// npm's own record names the registry that packages came from: another
	// mirror would give another image.
	delete(tree, path.Join(spec.Workdir, installed, ".package-lock.json")[1:])
	for name := range tree {
		// The tools that bundle the server have to run on this machine, so
		// dependencies are installed for it, whatever the image's platform.
		if path.Ext(name) == ".node" {
			return nil, fmt.Errorf("%s is native code for the platform of this machine; use a package without", name)
		}
	}
	return tree, tree.Load()
}

// walkSource calls visit for each file of the source in dir, sorted.
func walkSource(dir string, visit func(name, file string) error) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == installed || entry.Name() == built {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return visit(name, file)
	})
}

func sourceDigest(dir string) (string, error) {
	digest := sha256.New()
	err := walkSource(dir, func(name, file string) error {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(digest, "%d:%s%d:", len(name), name, len(content))
		_, err = digest.Write(content)
		return err
	})
	return hex.EncodeToString(digest.Sum(nil)), err
}

func copySource(to, from string) error {
	return walkSource(from, func(name, file string) error {
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		source, err := os.Open(file)
		if err != nil {
			return err
		}
		defer source.Close()
		copied, err := os.Create(target)
		if err != nil {
			return err
		}
		if _, err := io.Copy(copied, source); err != nil {
			return err
		}
		return copied.Close()
	})
}
