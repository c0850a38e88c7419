package runtime

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/layer"
)

// server is the layer of the program that runs Functions: its files and what
// installing makes of them. It is the same for all platforms.
func (b *Builder) server(ctx context.Context, spec Spec, version Version) (v1.Layer, error) {
	files, err := sourceTree(spec)
	if err != nil {
		return nil, fmt.Errorf("read the server's files: %w", err)
	}
	inputs := []string{"server", files.Digest(), fmt.Sprint(spec.Install), version.Node, version.NPM, spec.Workdir}
	return layer.Cached(ctx, b.Images, inputs, func() (layer.Tree, error) {
		toolchain, err := b.toolchain(ctx, version)
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "runtime-*")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := files.WriteTo(dir); err != nil {
			return nil, err
		}
		if err := install(ctx, dir, toolchain, spec.Install); err != nil {
			return nil, err
		}
		return serverTree(dir, spec.Workdir, files)
	})
}

// sourceTree has the files of a description that go into the image.
func sourceTree(spec Spec) (layer.Tree, error) {
	tree := layer.Tree{}
	for _, file := range spec.Files {
		if err := tree.AddDir(file, filepath.Join(spec.dir, file)); err != nil {
			return nil, err
		}
	}
	return tree, tree.Load()
}

// install runs shell commands with the tools of a toolchain. No package's
// scripts run in them: they would be strangers' code on this machine.
func install(ctx context.Context, dir, toolchain string, commands []string) error {
	for _, command := range commands {
		err := hosttool.Command{
			Name: "sh",
			Args: []string{"-euc", command},
			Dir:  dir,
			Env: []string{
				"PATH=" + filepath.Join(toolchain, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH"),
				"npm_config_ignore_scripts=true",
				"npm_config_audit=false",
				"npm_config_fund=false",
				"npm_config_update_notifier=false",
			},
		}.Run(ctx)
		if err != nil {
			return fmt.Errorf("run %q: %w", command, err)
		}
	}
	return nil
}

// serverTree is the directory dir at workdir, after installing.
func serverTree(dir, workdir string, files layer.Tree) (layer.Tree, error) {
	tree := layer.Tree{}
	if err := tree.AddDir(workdir, dir); err != nil {
		return nil, err
	}
	for name := range tree {
		switch {
		// The tools that bundle the server have to run on this machine, so
		// dependencies are installed for it, whatever the image's platform.
		case path.Ext(name) == ".node":
			return nil, fmt.Errorf("%s is native code for the platform of this machine; use a package without", name)
		// npm's own record names the registry that packages came from: another
		// mirror would give another image.
		case path.Base(name) == ".package-lock.json":
			delete(tree, name)
		}
	}
	if err := tree.Load(); err != nil {
		return nil, err
	}
	// For the same reason the files are as they were before npm saw them.
	tree.AddTree(workdir, files)
	return tree, nil
}
