package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/node"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/supervisor"
)

// newSuperviseCommand is what `up` starts in the background.
func newSuperviseCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:    "supervise",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := load(c)
			if err != nil {
				return err
			}
			return supervisor.Run(cmd.Context(), p)
		},
	}
}

// newNodeInitCommand is what the supervisor starts in new namespaces.
func newNodeInitCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:    "node-init",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := load(c)
			if err != nil {
				return err
			}
			if err := unix.Sethostname([]byte(p.Name)); err != nil {
				return fmt.Errorf("set host name: %w", err)
			}
			return node.Run(cmd.Context(), p, os.Stdin, os.Stdout)
		},
	}
}

func load(c *choice) (*plan.Plan, error) {
	p, err := plan.Load(c.dir)
	if err == nil && p == nil {
		err = fmt.Errorf("load plan: none in %s: start the cluster with `cluster up`", c.dir)
	}
	return p, err
}
