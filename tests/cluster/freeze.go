package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"
)

// newFreezeCommand and newThawCommand are for tests of what happens while a
// component doesn't answer.
func newFreezeCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "freeze COMPONENT",
		Short: "Stop a component, such as kube-apiserver, where it is; its connections stay and nothing answers",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return signalComponent(c, args[0], unix.SIGSTOP) },
	}
}

func newThawCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "thaw COMPONENT",
		Short: "Let a frozen component go on",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return signalComponent(c, args[0], unix.SIGCONT) },
	}
}

func newRestartCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "restart COMPONENT",
		Short: "Kill a component, such as containerd, and start it again",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return restartComponent(cmd.Context(), c, args[0]) },
	}
}

// restartComponent ends a component without a chance to finish anything, and
// returns when it runs again.
func restartComponent(ctx context.Context, c *choice, component string) error {
	p, s, err := running(c)
	if err != nil {
		return err
	}
	former, err := processesOf(s.Init, component)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.RestartRequest(component), nil, 0o600); err != nil {
		return fmt.Errorf("ask for a restart of component %s: %w", component, err)
	}
	if err := signalComponent(c, component, unix.SIGKILL); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		pids, err := processesOf(s.Init, component)
		anew := slices.ContainsFunc(pids, func(pid int) bool { return !slices.Contains(former, pid) })
		return anew, err
	})
}

func signalComponent(c *choice, component string, signal unix.Signal) error {
	_, s, err := running(c)
	if err != nil {
		return err
	}
	pids, err := processesOf(s.Init, component)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("find component %s of cluster %s: none of its processes has that name: see `cluster status`", component, c.name)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, signal); err != nil {
			return fmt.Errorf("signal process %d of component %s: %w", pid, component, err)
		}
	}
	return nil
}

// processesOf are those of the name in the process namespace of init.
func processesOf(init int, name string) ([]int, error) {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid_for_children", init))
	if err != nil {
		return nil, fmt.Errorf("find the node's process namespace: %w", err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, path := range commands {
		dir := filepath.Dir(path)
		// A process that ended meanwhile has neither.
		own, _ := os.Readlink(filepath.Join(dir, "ns/pid"))
		command, _ := os.ReadFile(path)
		program, _, _ := strings.Cut(string(command), "\x00")
		if own != namespace || filepath.Base(program) != name {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	return found, nil
}
