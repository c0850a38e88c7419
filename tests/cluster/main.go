// Command cluster runs a real single-node Kubernetes on this machine, in
// namespaces of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode passes on that of a command run in the node.
func exitCode(err error) int {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // only unwrapped: ours have a cause of their own
		return exit.ExitCode()
	}
	return 1
}

// choice is which cluster a command is about.
type choice struct{ name, dir string }

func newCommand() *cobra.Command {
	var c choice
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "Run a real single-node Kubernetes on this machine, in namespaces of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&c.name, "name", "local", "name of the cluster; several may run side by side")
	root.PersistentFlags().StringVar(&c.dir, "dir", "", "directory for the cluster's state (default build/clusters/NAME in the checkout)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return c.resolve() }
	root.AddCommand(
		newUpCommand(&c), newDownCommand(&c), newStatusCommand(&c),
		newKubeconfigCommand(&c), newRegistryCommand(&c), newLoadImageCommand(&c),
		newExecCommand(&c), newFreezeCommand(&c), newThawCommand(&c), newRestartCommand(&c), newAssetsCommand(), newKwokCommand(),
		newNetworkPoliciesCommand(),
		newSuperviseCommand(&c), newNodeInitCommand(&c),
	)
	return root
}

// resolve makes the directory absolute and gives it its default.
func (c *choice) resolve() error {
	if err := plan.CheckName(c.name); err != nil {
		return err
	}
	if c.dir == "" {
		c.dir = filepath.Join(checkout(), "build", "clusters", c.name)
	}
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return fmt.Errorf("find directory %s: %w", c.dir, err)
	}
	c.dir = dir
	return nil
}

// checkout is the root of the git checkout, or the working directory.
func checkout() string {
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "."
	}
	return strings.TrimSpace(string(out))
}
