package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"

	"kyma-project.io/serverless/tests/cluster/internal/binaries"
	"kyma-project.io/serverless/tests/cluster/internal/component"
	"kyma-project.io/serverless/tests/cluster/internal/debian"
	"kyma-project.io/serverless/tests/cluster/internal/machine"
	"kyma-project.io/serverless/tests/cluster/internal/pki"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/progress"
	"kyma-project.io/serverless/tests/cluster/internal/status"
	"kyma-project.io/serverless/tests/cluster/internal/supervisor"
)

func newUpCommand(c *choice) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the cluster, building what it needs, and wait until it is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			started := time.Now()
			printer := progress.New(os.Stdout)
			p, err := up(cmd.Context(), c, printer)
			if err != nil {
				return err
			}
			printer.Note("cluster %s is ready (%.1fs)", p.Name, time.Since(started).Seconds())
			printer.Note("  export KUBECONFIG=%s", p.Kubeconfig())
			printer.Note("  release registry: %s", p.Registry())
			return nil
		},
	}
}

// up starts the cluster unless it runs, and waits until it is ready.
func up(ctx context.Context, c *choice, printer *progress.Printer) (*plan.Plan, error) {
	unlock, err := lockDir(c.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p, err := plan.Load(c.dir)
	if err != nil {
		return nil, err
	}
	if p == nil {
		p = &plan.Plan{}
	}
	p.Name, p.Dir = c.name, c.dir
	if !supervisor.Running(p) || failed(p) {
		if err := start(ctx, p, printer); err != nil {
			return nil, err
		}
	}
	return p, follow(ctx, p, printer)
}

// failed says that a start went wrong: the cluster was never of use, and may be
// replaced.
func failed(p *plan.Plan) bool {
	s, err := status.Read(p.Dir)
	return err == nil && s != nil && s.Error != ""
}

// lockDir lets a second `up` wait for the first one.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory for the cluster: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock directory of the cluster: %w", err)
	}
	return func() { f.Close() }, nil
}

func start(ctx context.Context, p *plan.Plan, printer *progress.Printer) error {
	if missing := debian.Missing(); len(missing) > 0 {
		err := printer.Step("installed packages "+strings.Join(missing, ", "), func() error { return debian.Install(ctx, missing) })
		if err != nil {
			return err
		}
	}
	if err := machine.CheckRequirements(ctx, p.Dir); err != nil {
		return err
	}
	if err := buildAll(ctx, p, printer); err != nil {
		return err
	}
	if err := supervisor.Stop(ctx, p); err != nil { // what a killed one left
		return err
	}
	nameservers, err := machine.Nameservers()
	if err != nil {
		return err
	}
	occupied, err := machine.Occupied(nameservers)
	if err != nil {
		return err
	}
	if err := machine.Enter(p, occupied); err != nil {
		return err
	}
	if err := writeState(p, nameservers); err != nil {
		return errors.Join(err, machine.Clean(ctx, p))
	}
	return supervisor.Start(p)
}

// buildAll fills in where the programs and images are, having made them first.
func buildAll(ctx context.Context, p *plan.Plan, printer *progress.Printer) error {
	root, err := binaries.Root()
	if err != nil {
		return err
	}
	module, err := binaries.FindModule()
	if err != nil {
		return err
	}
	p.RegistryDir = filepath.Join(root, "registry", p.Name)
	if err := os.MkdirAll(p.RegistryDir, 0o755); err != nil {
		return fmt.Errorf("make directory for the registry: %w", err)
	}
	var kubernetes, containerd string
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"Kubernetes built (about 12 min the first time, on 2 processors)", func() error {
			kubernetes, err = binaries.Kubernetes(ctx, root, module)
			return err
		}},
		{"containerd built (about 2 min the first time)", func() error {
			containerd, err = binaries.Containerd(ctx, root)
			return err
		}},
		{"programs and pause image in place", func() error {
			if p.Binaries, err = binaries.Node(root, kubernetes, containerd); err != nil {
				return err
			}
			p.PauseImage, err = binaries.PauseImage(ctx, root, filepath.Dir(module), component.PauseImage)
			return err
		}},
	} {
		if err := printer.Step(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// writeState makes the files of a new cluster; nothing of an old one stays.
func writeState(p *plan.Plan, nameservers []string) error {
	if err := errors.Join(clearState(p.Dir), os.RemoveAll(p.Path("logs"))); err != nil {
		return fmt.Errorf("clear directory of the cluster: %w", err)
	}
	if err := os.MkdirAll(p.Path("logs"), 0o755); err != nil {
		return fmt.Errorf("make directory for logs: %w", err)
	}
	if err := choosePort(p); err != nil {
		return err
	}
	if err := p.Save(); err != nil {
		return err
	}
	if err := pki.WriteAll(p); err != nil {
		return err
	}
	files, err := component.Files(p, component.Uplink{Nameservers: nameservers, MTU: machine.UplinkMTU()})
	if err != nil {
		return err
	}
	for name, content := range files {
		path := p.Path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make directory for configuration: %w", err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

func choosePort(p *plan.Plan) error {
	for _, port := range p.PortsToTry() {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		p.APIPort = port
		return listener.Close()
	}
	return fmt.Errorf("choose port for the API server: none of %v is free on 127.0.0.1: stop what listens there (see `ss -ltnp`)", p.PortsToTry())
}

// follow shows the start's steps until it is ready or has failed.
func follow(ctx context.Context, p *plan.Plan, printer *progress.Printer) error {
	shown := 0
	stop := func() {}
	defer func() { stop() }()
	var last *status.Status
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		s, err := status.Read(p.Dir)
		if err != nil || s == nil {
			return false, err
		}
		for ; shown < len(s.Steps) && s.Steps[shown].Done; shown++ {
			stop()
			stop = func() {}
			printer.Done(s.Steps[shown].Name, s.Steps[shown].Took)
		}
		if last == nil || len(last.Steps) != len(s.Steps) && shown < len(s.Steps) {
			stop()
			stop = doing(printer, s.Steps, shown)
		}
		last = s
		if s.Error == "" && !supervisor.Running(p) {
			return false, errors.New("its supervisor ended")
		}
		return s.Ready || s.Error != "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for cluster %s: %w%s", p.Name, err, tail(p.Log("supervisor")))
	}
	return problem(p, last)
}

func doing(printer *progress.Printer, steps []status.Step, current int) (stop func()) {
	if current >= len(steps) {
		return func() {}
	}
	return printer.Doing(steps[current].Name, steps[current].Started)
}

// problem is what keeps the cluster from being whole, with the last words of
// the programs that ended.
func problem(p *plan.Plan, s *status.Status) error {
	var errs []error
	if s.Error != "" {
		errs = append(errs, fmt.Errorf("start cluster %s: %s", p.Name, s.Error))
	}
	for _, c := range s.Components {
		if c.Exited != "" {
			errs = append(errs, fmt.Errorf("%s ended: %s%s", c.Name, c.Exited, tail(p.Log(c.Name))))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("all logs are in %s; `cluster down --name %s` clears the rest", p.Path("logs"), p.Name))
	}
	return errors.Join(errs...)
}

// tail is the end of a log, to be shown below an error.
func tail(path string) string {
	const lines = 10
	data, err := os.ReadFile(path)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return ""
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return ":\n    " + strings.Join(all[max(0, len(all)-lines):], "\n    ")
}
