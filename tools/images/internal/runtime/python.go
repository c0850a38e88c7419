package runtime

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/debian"
	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/layer"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// bytecodeFormat is part of the key of every layer with bytecode. Raise it when
// compiling makes something else of the same files.
const bytecodeFormat = "1"

// loaders are what Linux calls the dynamic loader in Debian, and the directory
// of its libraries, by Go architecture.
var loaders = map[string][2]string{
	"amd64": {"usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"},
	"arm64": {"usr/lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"},
}

// standardBytecode is the layer of the bytecode of all that Debian's packages
// have in Python: dpkg would make it on installation, and a pod that can't
// write its root file system would compile all anew on every start.
func (b *Builder) standardBytecode(ctx context.Context, spec Spec, archive *debian.Archive, packages []debian.Package, version Version) (v1.Layer, error) {
	if _, err := debian.LibraryVersion(packages, "python"+version.Python); err != nil {
		return nil, err
	}
	inputs := []string{"bytecode", bytecodeFormat, fmt.Sprint(packages), version.Python}
	return layer.Cached(ctx, b.Images, inputs, func() (layer.Tree, error) {
		debs, err := archive.Download(ctx, packages)
		if err != nil {
			return nil, err
		}
		tree, err := debian.RootFS(ctx, debs, nil)
		if err != nil {
			return nil, err
		}
		return b.bytecode(ctx, spec, version, tree)
	})
}

// pythonServer is the layer of the program that runs Functions, and its bytecode.
func (b *Builder) pythonServer(ctx context.Context, spec Spec, version Version) (v1.Layer, error) {
	files, err := sourceTree(spec)
	if err != nil {
		return nil, fmt.Errorf("read the server's files: %w", err)
	}
	inputs := []string{"server", bytecodeFormat, files.Digest(), version.Python, spec.Workdir}
	return layer.Cached(ctx, b.Images, inputs, func() (layer.Tree, error) {
		tree := layer.Tree{}
		tree.AddTree(spec.Workdir, files)
		for name := range tree {
			if strings.Contains(name, "/__pycache__") { // a developer's
				delete(tree, name)
			}
		}
		compiled, err := b.bytecode(ctx, spec, version, tree)
		if err != nil {
			return nil, err
		}
		tree.AddTree("", compiled)
		return tree, nil
	})
}

// bytecode is that of the Python files in tree. It is valid whatever the files'
// times are, and the same for all platforms.
func (b *Builder) bytecode(ctx context.Context, spec Spec, version Version, tree layer.Tree) (layer.Tree, error) {
	toolchain, err := b.pythonToolchain(ctx, spec)
	if err != nil {
		return nil, err
	}
	sources := layer.Tree{}
	for name, node := range tree {
		if path.Ext(name) == ".py" && node.Mode.IsRegular() {
			sources[name] = node
		}
	}
	dir, err := os.MkdirTemp("", "bytecode-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := sources.WriteTo(dir); err != nil {
		return nil, err
	}
	err = python(toolchain, version, "-m", "compileall", "-q", "-r", "50", "--invalidation-mode", "unchecked-hash", "-s", dir, "-p", "/", dir).Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("compile Python files: %w", err)
	}
	compiled := layer.Tree{}
	if err := compiled.AddDir("", dir); err != nil {
		return nil, err
	}
	for name, node := range compiled {
		if path.Ext(name) != ".pyc" || !node.Mode.IsRegular() {
			delete(compiled, name)
		}
	}
	return compiled, compiled.Load()
}

// pythonToolchain is a directory with the same Python for this machine.
func (b *Builder) pythonToolchain(ctx context.Context, spec Spec) (string, error) {
	archive, err := b.Archive(goruntime.GOARCH)
	if err != nil {
		return "", err
	}
	packages, err := packagesOf(ctx, archive, spec)
	if err != nil {
		return "", err
	}
	return b.Images.Entry(ctx, "toolchains", store.Key(fmt.Sprint(packages)), func(dir string) error {
		debs, err := archive.Download(ctx, packages)
		if err != nil {
			return err
		}
		tree, err := debian.RootFS(ctx, debs, nil)
		if err != nil {
			return err
		}
		return tree.WriteTo(dir)
	})
}

// python runs the Python of a root file system on this machine, whose own
// libraries may be others.
func python(root string, version Version, args ...string) hosttool.Command {
	loader := loaders[goruntime.GOARCH]
	program := filepath.Join(root, "usr/bin", "python"+version.Python)
	return hosttool.Command{
		Name: filepath.Join(root, loader[0]),
		Args: append([]string{"--library-path", filepath.Join(root, loader[1]), "--argv0", program, program}, args...),
		Env: []string{
			"PYTHONHOME=" + filepath.Join(root, "usr"),
			"PYTHONHASHSEED=0", // else sets have another order in each run
			"PYTHONDONTWRITEBYTECODE=1",
		},
	}
}
