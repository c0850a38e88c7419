package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kyma-project.io/serverless/tests/cluster/internal/machine"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/progress"
	"kyma-project.io/serverless/tests/cluster/internal/supervisor"
)

// downTimeout is for a machine where thousands of processes have to end.
const downTimeout = time.Minute

func newDownCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove all it made on this machine, but its logs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			printer := progress.New(os.Stdout)
			return printer.Step("cluster "+c.name+" stopped", func() error { return down(ctx, c) })
		},
	}
}

func down(ctx context.Context, c *choice) error {
	p, err := find(c)
	if err != nil || p == nil {
		return err // there never was one
	}
	if err := supervisor.Stop(ctx, p); err != nil {
		return err
	}
	return clearState(p.Dir)
}

// find returns the plan of the cluster: the registered one, wherever its
// directory is, or else the one saved in the directory.
func find(c *choice) (*plan.Plan, error) {
	if p, err := machine.Registered(c.name); err != nil || p != nil {
		return p, err
	}
	return plan.Load(c.dir)
}

// kept is what outlives a cluster: the logs, for who wants to know what was
// wrong, and the plan, so that its addresses and ports stay the same.
var kept = []string{"logs", "cluster.json", ".lock"}

// clearState removes a cluster's files.
func clearState(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list files of the cluster: %w", err)
	}
	for _, entry := range entries {
		if slices.Contains(kept, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove files of the cluster: %w", err)
		}
	}
	return nil
}
