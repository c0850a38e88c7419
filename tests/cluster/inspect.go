package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"kyma-project.io/serverless/tests/cluster/internal/binaries"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/progress"
	"kyma-project.io/serverless/tests/cluster/internal/status"
	"kyma-project.io/serverless/tests/cluster/internal/supervisor"
)

func newStatusCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what runs and what is wrong",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, s, err := running(c)
			if err != nil {
				return err
			}
			printStatus(cmd.OutOrStdout(), p, s)
			return problem(p, s)
		},
	}
}

func printStatus(w io.Writer, p *plan.Plan, s *status.Status) {
	state := "starting"
	if s.Ready {
		state = "ready"
	}
	fmt.Fprintf(w, "cluster     %s (%s)\n", p.Name, state)
	fmt.Fprintf(w, "kubeconfig  %s\n", p.Kubeconfig())
	fmt.Fprintf(w, "API server  https://127.0.0.1:%d\n", p.APIPort)
	fmt.Fprintf(w, "node        %s, pods %s, Services %s\n", p.NodeIP(), p.Pods, p.Services)
	fmt.Fprintf(w, "registry    %s\n", p.Registry())
	fmt.Fprintf(w, "logs        %s\n", p.Path("logs"))
	for _, step := range s.Steps {
		if step.Done {
			fmt.Fprintf(w, "  ✓ %s (%.1fs)\n", step.Name, step.Took.Seconds())
			continue
		}
		fmt.Fprintf(w, "  … %s (%.1fs)\n", step.Name, time.Since(step.Started).Seconds())
	}
	for _, component := range s.Components {
		state := "runs"
		if component.Exited != "" {
			state = component.Exited
		}
		fmt.Fprintf(w, "  %-26s %s\n", component.Name, state)
	}
	for _, port := range s.NodePorts {
		state := "127.0.0.1:" + strconv.Itoa(port.Port)
		if port.Problem != "" {
			state = port.Problem + fmt.Sprintf(" (it answers on %s:%d)", p.NodeIP(), port.Port)
		}
		fmt.Fprintf(w, "  node port %-16s %s\n", port.Service, state)
	}
}

// running returns the plan and the status of a cluster that runs.
func running(c *choice) (*plan.Plan, *status.Status, error) {
	p, err := find(c)
	if err != nil {
		return nil, nil, err
	}
	if p == nil || !supervisor.Running(p) {
		return nil, nil, fmt.Errorf("find cluster %s: it does not run: start it with `cluster up --name %[1]s`", c.name)
	}
	s, err := status.Read(p.Dir)
	if err != nil {
		return nil, nil, err
	}
	return p, s, nil
}

func newKubeconfigCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the kubeconfig",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, _, err := running(c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), p.Kubeconfig())
			return err
		},
	}
}

func newRegistryCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "registry",
		Short: "Print the release registry's address, the same on host, node and in pods (plain HTTP)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, _, err := running(c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), p.Registry())
			return err
		},
	}
}

func newLoadImageCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "load-image FILE.tar",
		Short: "Load the images of a tarball into the node",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, s, err := running(c)
			if err != nil {
				return err
			}
			// Through standard input: the node has a /run and a /var/log of its own.
			file, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("open image: %w", err)
			}
			defer file.Close()
			load := inNode(cmd, p, s, "ctr", "--namespace=k8s.io", "images", "import", "-")
			load.Stdin = file
			if err := load.Run(); err != nil {
				return fmt.Errorf("load image %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func newExecCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND...",
		Short: "Run a command in the node's namespaces, with its programs in the PATH",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, s, err := running(c)
			if err != nil {
				return err
			}
			command := inNode(cmd, p, s, args...)
			command.Stdin = os.Stdin
			return command.Run()
		},
	}
}

func inNode(cmd *cobra.Command, p *plan.Plan, s *status.Status, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(s.Init), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	command := exec.CommandContext(cmd.Context(), "nsenter", append(enter, args...)...)
	command.Env = append(os.Environ(),
		"PATH="+p.Binaries+":"+os.Getenv("PATH"),
		"KUBECONFIG="+p.Path("etc/admin.kubeconfig"))
	command.Stdout, command.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	return command
}

func newAssetsCommand() *cobra.Command {
	return newBuildCommand("assets", "Print a directory with kube-apiserver, etcd and kubectl, for envtest and the PATH", "Kubernetes", binaries.Kubernetes)
}

func newKwokCommand() *cobra.Command {
	return newBuildCommand("kwok", "Print the path of kwok, which plays nodes for benchmarks of API objects alone", "kwok",
		func(ctx context.Context, root, _ string) (string, error) { return binaries.Kwok(ctx, root) })
}

func newNetworkPoliciesCommand() *cobra.Command {
	return newBuildCommand("networkpolicies",
		"Print the path of a program that has a node enforce NetworkPolicies while it runs, by exec, and its input is open", "networkpolicies",
		func(ctx context.Context, root, module string) (string, error) {
			return binaries.NetworkPolicies(ctx, root, filepath.Dir(module))
		})
}

// newBuildCommand prints where what it builds is, from the directory that
// builds are kept in, and the module that names the versions.
func newBuildCommand(use, short, what string, build func(ctx context.Context, root, module string) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, rootErr := binaries.Root()
			module, moduleErr := binaries.FindModule()
			if err := errors.Join(rootErr, moduleErr); err != nil {
				return err
			}
			stop := progress.New(os.Stderr).Doing("building "+what, time.Now())
			built, err := build(cmd.Context(), root, module)
			stop()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), built)
			return err
		},
	}
}
