package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"
)

// hierarchy is a mounted cgroup file system.
type hierarchy struct {
	path string
	v2   bool
}

// cgroupHierarchies lists what is mounted: many with cgroup v1, one with v2,
// both kinds on hybrid hosts.
func cgroupHierarchies() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer f.Close()
	var found []hierarchy
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		mount, rest, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		if !ok || len(fields) < 5 {
			continue
		}
		switch kind, _, _ := strings.Cut(rest, " "); kind {
		case "cgroup", "cgroup2":
			found = append(found, hierarchy{path: fields[4], v2: kind == "cgroup2"})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return found, nil
}

// MakeCgroups makes the root of the cluster's pods, which the kubelet expects
// to exist, in each hierarchy.
func MakeCgroups(name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		dir := filepath.Join(h.path, name)
		if h.v2 {
			enableControllers(h.path)
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make cgroup: %w", err)
		}
		if h.v2 {
			enableControllers(dir)
			continue
		}
		if err := inheritCpuset(h.path, dir); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers offers all controllers to the cgroups below dir. One that
// can't be offered is the kubelet's to complain about, if it needs it.
func enableControllers(dir string) {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for controller := range strings.FieldsSeq(string(available)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// inheritCpuset fills what a new cpuset of cgroup v1 starts without: no process
// can enter one that has no processors or no memory.
func inheritCpuset(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another controller's hierarchy
		}
		if err != nil {
			return fmt.Errorf("read cpuset: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), value, 0o644); err != nil {
			return fmt.Errorf("set cpuset: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the cluster's cgroups, deepest first. Processes that
// were killed a moment ago may still be in them, so it tries for a while.
func removeCgroups(ctx context.Context, name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		root := filepath.Join(h.path, name)
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
			return removeTree(root)
		})
		if err != nil {
			return fmt.Errorf("remove cgroup %s: %w: see the processes listed in the cgroup.procs files below it", root, err)
		}
	}
	return nil
}

// removeTree removes a cgroup with all below it, and says whether it is gone.
func removeTree(root string) (bool, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
			return nil // it vanished meanwhile
		}
		return err
	})
	if err != nil {
		return false, err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); errors.Is(err, unix.EBUSY) {
			return false, nil
		} else if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, err
		}
	}
	return true, nil
}
