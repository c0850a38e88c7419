// Package machine is the host that a cluster runs on: what it must offer, and
// what a cluster leaves on it while it runs: a network interface, rules, cgroups
// and an entry in the register of clusters.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// CheckRequirements finds everything that would keep a cluster in dir from
// starting; each error says what to do about it.
func CheckRequirements(ctx context.Context, dir string) error {
	return errors.Join(
		checkRoot(),
		checkKernel(ctx, "overlay", hasFilesystem("overlay")),
		checkKernel(ctx, "br_netfilter", exists("/proc/sys/net/bridge/bridge-nf-call-iptables")),
		checkCgroups(),
		checkDisk(dir),
	)
}

func checkRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("check user: a node makes mounts, networks and cgroups: run as root")
	}
	return nil
}

// checkKernel makes sure of a part of the kernel that may be a module.
func checkKernel(ctx context.Context, module string, present func() bool) error {
	if present() {
		return nil
	}
	out, err := exec.CommandContext(ctx, "modprobe", module).CombinedOutput()
	if err == nil && present() {
		return nil
	}
	return fmt.Errorf("load kernel module %s: %w: %s: run `modprobe %s` on the machine whose kernel this is", module, err, strings.TrimSpace(string(out)), module)
}

func hasFilesystem(name string) func() bool {
	return func() bool {
		data, err := os.ReadFile("/proc/filesystems")
		return err == nil && strings.Contains(string(data), "\t"+name+"\n")
	}
}

func exists(path string) func() bool {
	return func() bool {
		_, err := os.Stat(path)
		return err == nil
	}
}

func checkCgroups() error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	if len(hierarchies) == 0 {
		return errors.New("find cgroups: none is mounted: run `mount -t cgroup2 none /sys/fs/cgroup`")
	}
	return nil
}

// leastDisk is what a start writes with images of a usual size.
const leastDisk = 3 << 30

func checkDisk(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("measure disk of %s: %w", dir, err)
	}
	if free := s.Bavail * uint64(s.Bsize); free < leastDisk {
		return fmt.Errorf("check disk: %d MiB are free below %s and a cluster takes %d: free some, or choose another place with --dir", free>>20, dir, leastDisk>>20)
	}
	return nil
}
