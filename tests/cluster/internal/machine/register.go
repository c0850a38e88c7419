package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// registerDir says which clusters run on this machine, and what they share. It
// is gone with the last of them.
const registerDir = "/run/serverless-cluster"

// mountPoints are directories that the node mounts its own ones over.
var mountPoints = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log"}

const forwarding = "/proc/sys/net/ipv4/ip_forward"

// shared is what all clusters on the machine share, and what it was like before
// the first of them.
type shared struct {
	// Forwarding is the original value of the sysctl.
	Forwarding string `json:"forwarding"`
	// Made are the mount points that weren't there.
	Made []string `json:"made"`
}

// Enter puts the cluster into the register, having chosen networks for it that
// no other one has, and prepares what the clusters share.
func Enter(p *plan.Plan, occupied []netip.Prefix) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	others, err := entries()
	if err != nil {
		return err
	}
	taken := map[int]bool{}
	for _, other := range others {
		if other.Name == p.Name {
			return fmt.Errorf("start cluster %s: it runs already from %s: use another --name, or `cluster down --name %s --dir %[2]s`", p.Name, other.Dir, p.Name)
		}
		taken[other.Slot] = true
	}
	if err := p.Choose(taken, occupied); err != nil {
		return err
	}
	if err := prepareShared(); err != nil {
		return err
	}
	return writeJSON(entryPath(p.Name), p)
}

// Registered returns the plan of a running cluster, or one whose remains were
// not cleaned up yet; nil if there is none.
func Registered(name string) (*plan.Plan, error) {
	var p plan.Plan
	err := readJSON(entryPath(name), &p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// Clean removes all that a cluster leaves on the host. Its processes must have
// ended; whatever of the rest is gone already is no error.
func Clean(ctx context.Context, p *plan.Plan) error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := errors.Join(disconnect(ctx, p), removeCgroups(ctx, p.Mark())); err != nil {
		return err
	}
	if err := os.Remove(entryPath(p.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("leave register: %w", err)
	}
	others, err := entries()
	if err != nil || len(others) > 0 {
		return err
	}
	return restoreShared()
}

func prepareShared() error {
	path := filepath.Join(registerDir, "shared.json")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	value, err := os.ReadFile(forwarding)
	if err != nil {
		return fmt.Errorf("read sysctl: %w", err)
	}
	s := shared{Forwarding: strings.TrimSpace(string(value))}
	for _, dir := range mountPoints {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			s.Made = append(s.Made, dir)
		}
	}
	if err := writeJSON(path, s); err != nil { // first, so that nothing is changed that isn't noted
		return err
	}
	for _, dir := range s.Made {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
	}
	if err := os.WriteFile(forwarding, []byte("1"), 0o644); err != nil {
		return fmt.Errorf("allow forwarding: %w", err)
	}
	return nil
}

// restoreShared is for the last cluster only: removing a directory would unmount
// what another node has mounted over it.
func restoreShared() error {
	var s shared
	err := readJSON(filepath.Join(registerDir, "shared.json"), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(registerDir)
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(forwarding, []byte(s.Forwarding), 0o644); err != nil {
		return fmt.Errorf("restore forwarding: %w", err)
	}
	for _, dir := range s.Made {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove mount point: %w", err)
		}
	}
	return os.RemoveAll(registerDir)
}

// lock keeps other commands from the register. Its file is outside of it, since
// who removes the register must hold the lock still.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Join(registerDir, "clusters"), 0o755); err != nil {
		return nil, fmt.Errorf("make register: %w", err)
	}
	f, err := os.OpenFile(registerDir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock register: %w", err)
	}
	return func() { f.Close() }, nil
}

func entryPath(name string) string {
	return filepath.Join(registerDir, "clusters", name+".json")
}

func entries() ([]plan.Plan, error) {
	paths, err := filepath.Glob(entryPath("*"))
	if err != nil {
		return nil, fmt.Errorf("list register: %w", err)
	}
	plans := make([]plan.Plan, len(paths))
	for i, path := range paths {
		if err := readJSON(path, &plans[i]); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read register: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("parse %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, from any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write register: %w", err)
	}
	return nil
}
