package binaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// kubernetesVersion is what the programs call themselves; go.mod in node/ says
// what they are.
const kubernetesVersion = "v1.37.2"

const containerdVersion = "v2.4.2"

// kwokVersion is that of the program which plays nodes and their Pods.
const kwokVersion = "v0.8.0"

// kubernetesBinary is not called after anything that its directory, put in
// front of a user's PATH, would hide.
const kubernetesBinary = "kubernetes"

// programs are the names that the node's binary goes by.
var programs = []string{
	"coredns", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy",
	"kube-scheduler", "kubectl", "kubelet", "local-path-provisioner", "metrics-server", "registry",
}

var containerdPrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr"}

// Kubernetes returns a directory with the programs of Kubernetes, etcd, DNS,
// metrics and the registry: one binary and links to it. Module is the directory
// of its source.
func Kubernetes(ctx context.Context, root, module string) (string, error) {
	source, err := sourceOf(module)
	if err != nil {
		return "", err
	}
	flags := versionFlags()
	key := keyOf(source, flags, runtime.GOARCH, strings.Join(programs, " "), kubernetesBinary)
	return cached(root, "kubernetes", key, func(dir string) error {
		binary := filepath.Join(dir, kubernetesBinary)
		if err := goCommand(ctx, module, nil, "build", "-ldflags", flags, "-o", binary, "."); err != nil {
			return fmt.Errorf("build Kubernetes: %w", err)
		}
		return linkAll(dir, kubernetesBinary, programs)
	})
}

// Containerd returns a directory with containerd's programs.
func Containerd(ctx context.Context, root string) (string, error) {
	const tags = "no_btrfs,no_zfs,no_devmapper"
	const flags = "-s -w -X github.com/containerd/containerd/v2/version.Version=" + containerdVersion
	return cached(root, "containerd", keyOf(containerdVersion, tags, flags, runtime.GOARCH), func(dir string) error {
		args := []string{"install", "-tags", tags, "-ldflags", flags}
		for _, program := range containerdPrograms {
			args = append(args, "github.com/containerd/containerd/v2/cmd/"+program+"@"+containerdVersion)
		}
		if err := goCommand(ctx, dir, []string{"GOBIN=" + dir}, args...); err != nil {
			return fmt.Errorf("build containerd: %w", err)
		}
		return nil
	})
}

// Kwok returns the path of the program that plays nodes where there are none.
func Kwok(ctx context.Context, root string) (string, error) {
	const flags = "-s -w"
	dir, err := cached(root, "kwok", keyOf(kwokVersion, flags, runtime.GOARCH), func(dir string) error {
		err := goCommand(ctx, dir, []string{"GOBIN=" + dir}, "install", "-ldflags", flags, "sigs.k8s.io/kwok/cmd/kwok@"+kwokVersion)
		if err != nil {
			return fmt.Errorf("build kwok: %w", err)
		}
		return nil
	})
	return filepath.Join(dir, "kwok"), err
}

// Node returns one directory with all programs of a node.
func Node(root, kubernetes, containerd string) (string, error) {
	return cached(root, "node", keyOf(kubernetes, containerd), func(dir string) error {
		return errors.Join(linkAll(dir, kubernetes, programs), linkAll(dir, containerd, containerdPrograms))
	})
}

// linkAll links names in dir to target: to the file of the same name if target
// is a directory's path, or to target itself.
func linkAll(dir, target string, names []string) error {
	for _, name := range names {
		to := target
		if filepath.IsAbs(target) {
			to = filepath.Join(target, name)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("link program: %w", err)
		}
	}
	return nil
}

// versionFlags set the version that clients and servers tell each other; a
// binary built from modules does not know it.
func versionFlags() string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	flags := []string{"-s -w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			fmt.Sprintf("-X %s.gitVersion=%s", pkg, kubernetesVersion),
			fmt.Sprintf("-X %s.gitMajor=%s", pkg, major),
			fmt.Sprintf("-X %s.gitMinor=%s", pkg, minor))
	}
	return strings.Join(flags, " ")
}

// sourceOf is the content of a module's own files.
func sourceOf(module string) (string, error) {
	files, err := filepath.Glob(filepath.Join(module, "*.go"))
	if err != nil {
		return "", fmt.Errorf("list source: %w", err)
	}
	files = append(files, filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum"))
	slices.Sort(files)
	var source strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read source: %w", err)
		}
		fmt.Fprintf(&source, "%s\n%s\n", filepath.Base(file), data)
	}
	return source.String(), nil
}

// goCommand runs go with the build settings of the whole repository, so that
// all share what was compiled once.
func goCommand(ctx context.Context, dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false", "GOWORK=off")
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run go %s: %w\n%s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// FindModule finds the source of the node's programs: in the checkout that the
// working directory is in, or else in the one that this program was built in.
func FindModule() (string, error) {
	starts := make([]string, 0, 2)
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			module := filepath.Join(dir, "tests/cluster/node")
			if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
				return module, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("find source of the node's programs: neither the working directory nor this program is in a checkout of the repository: run it there")
}
