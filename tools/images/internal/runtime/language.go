package runtime

import (
	"context"
	"path"
	goruntime "runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/layer"
	"kyma-project.io/serverless/tools/images/internal/npm"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// language is the layer of Node.js and npm.
func (b *Builder) language(ctx context.Context, version Version, platform v1.Platform) (v1.Layer, error) {
	inputs := []string{"node", version.Node, version.NPM, platform.String()}
	return layer.Cached(ctx, b.Images, inputs, func() (layer.Tree, error) {
		return b.languageTree(ctx, version, platform.Architecture, "usr/local")
	})
}

// toolchain is a directory with the same Node.js and npm for this machine: the
// server is installed by those that run it, whatever else is on the machine.
func (b *Builder) toolchain(ctx context.Context, version Version) (string, error) {
	return b.Images.Entry(ctx, "toolchains", store.Key(version.Node, version.NPM), func(dir string) error {
		tree, err := b.languageTree(ctx, version, goruntime.GOARCH, "")
		if err != nil {
			return err
		}
		return tree.WriteTo(dir)
	})
}

// languageTree has Node.js and npm below prefix, both from the npm registry.
func (b *Builder) languageTree(ctx context.Context, version Version, goarch, prefix string) (layer.Tree, error) {
	tree := layer.Tree{}
	err := b.NPM.Unpack(ctx, tree, "node-linux-"+npm.CPU(goarch), version.Node, func(file string) string {
		switch file {
		case "bin/node":
			return path.Join(prefix, file)
		case "LICENSE":
			return path.Join(prefix, "share/doc/node", file)
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	err = b.NPM.Unpack(ctx, tree, "npm", version.NPM, func(file string) string {
		if top, _, _ := strings.Cut(file, "/"); top == "docs" || top == "man" {
			return ""
		}
		return path.Join(prefix, "lib/node_modules/npm", file)
	})
	tree.Symlink(path.Join(prefix, "bin/npm"), "../lib/node_modules/npm/bin/npm-cli.js")
	tree.Symlink(path.Join(prefix, "bin/npx"), "../lib/node_modules/npm/bin/npx-cli.js")
	return tree, err
}
