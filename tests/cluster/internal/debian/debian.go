// Package debian installs the few programs of the node that are distribution
// packages.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// packages by a file that says they are there: a path, or a name to look up.
var packages = []struct{ file, name string }{
	{"runc", "runc"},
	{"/usr/lib/cni/bridge", "containernetworking-plugins"},
	{"iptables", "iptables"},
	{"conntrack", "conntrack"},
	{"mount", "mount"},
	{"nsenter", "util-linux"},
}

// Missing lists the packages that have to be installed.
func Missing() []string {
	var missing []string
	for _, p := range packages {
		if _, err := exec.LookPath(p.file); err != nil {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// Install installs packages; the package lists are updated only if they don't
// know them.
func Install(ctx context.Context, names []string) error {
	if _, err := exec.LookPath("apt-get"); errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("install %s: this is no Debian or Ubuntu: install what your distribution calls them", strings.Join(names, " "))
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, names...)
	if aptGet(ctx, install) == nil {
		return nil
	}
	if err := aptGet(ctx, []string{"update"}); err != nil {
		return err
	}
	if err := aptGet(ctx, install); err != nil {
		return err
	}
	if missing := Missing(); slices.ContainsFunc(names, func(n string) bool { return slices.Contains(missing, n) }) {
		return fmt.Errorf("install %s: apt-get succeeded, but they are not in the PATH", strings.Join(missing, " "))
	}
	return nil
}

func aptGet(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run apt-get %s: %w: %s", strings.Join(args, " "), err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}
