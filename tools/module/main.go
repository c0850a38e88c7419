// The module program makes a Kyma module of this repository, and reads modules back.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "module:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "module",
		Short:         "Make a Kyma module of this repository, and read modules back",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(createCommand(), verifyCommand(), signCommand(), scanConfigCommand(), releaseCommand())
	return root
}
