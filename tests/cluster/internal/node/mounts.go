package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// mountAll makes the mount namespace the node's own. What the node writes to
// goes to the cluster's directory or to memory; the rest is the host's.
func mountAll(p *plan.Plan) error {
	// Private, so that nothing gets back to the host.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return err
	}
	if err := remountSys(); err != nil {
		return err
	}
	for source, target := range map[string]string{
		p.Path("kubelet"):  "/var/lib/kubelet",
		p.Path("cni"):      "/var/lib/cni",
		p.Path("logs/pod"): "/var/log",
	} {
		if err := bindDirectory(source, target); err != nil {
			return err
		}
	}
	if err := keepSysctls(p); err != nil {
		return err
	}
	// Shared among the node's own namespaces, as pods with mount propagation
	// expect it; last, since unmounting one shared mount unmounts its copies.
	return mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// remountSys shows the interfaces of the node's network namespace below /sys,
// and the host's cgroups still.
func remountSys() error {
	const aside = "/run/cgroup"
	if err := bindDirectory("/sys/fs/cgroup", aside); err != nil {
		return err
	}
	if err := mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := mount(aside, "/sys/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Unmount(aside, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", aside, err)
	}
	return nil
}

// keepSysctls covers those that the kubelet would set for the whole host with
// files that say they are set. It insists on them, and they'd stay when it ends.
func keepSysctls(p *plan.Plan) error {
	for name, wanted := range map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	} {
		file := p.Path("sysctls", strings.ReplaceAll(name, "/", "."))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("make directory for sysctls: %w", err)
		}
		if err := os.WriteFile(file, []byte(wanted+"\n"), 0o644); err != nil {
			return fmt.Errorf("write sysctl: %w", err)
		}
		if err := mount(file, "/proc/sys/"+name, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

func bindDirectory(source, target string) error {
	for _, dir := range []string{source, target} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	}
	return mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}
