package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/component"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// processes are the node's programs. As the first process of its namespace this
// one is also the parent of all that others leave behind, so it waits for any
// child, and os/exec, which waits for its own, can't be used beside it.
type processes struct {
	plan    *plan.Plan
	changed func(status.Component)
	failed  chan error

	mu      sync.Mutex
	running map[int]*process
}

type process struct {
	component.Component
	// done, if set, is for a program that is expected to end.
	done chan unix.WaitStatus
}

func newProcesses(p *plan.Plan, changed func(status.Component)) *processes {
	ps := &processes{plan: p, changed: changed, failed: make(chan error, 1), running: map[int]*process{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			ps.reap()
		}
	}()
	return ps
}

// start runs a program that is to run as long as the node.
func (ps *processes) start(c component.Component) error {
	if err := ps.spawn(c, &process{Component: c}); err != nil {
		return err
	}
	ps.changed(status.Component{Name: c.Name})
	return nil
}

// run runs a program to its end.
func (ps *processes) run(ctx context.Context, c component.Component) error {
	p := &process{Component: c, done: make(chan unix.WaitStatus, 1)}
	if err := ps.spawn(c, p); err != nil {
		return err
	}
	select {
	case result := <-p.done:
		if result.ExitStatus() == 0 {
			return nil
		}
		return fmt.Errorf("run %s: %s: see %s", c.Name, describe(result), ps.plan.Log(c.Name))
	case <-ctx.Done():
		return fmt.Errorf("run %s: %w: see %s", c.Name, ctx.Err(), ps.plan.Log(c.Name))
	}
}

// whileRunning does something that makes sense only while all programs run.
func (ps *processes) whileRunning(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case err := <-ps.failed:
			cancel(err)
		case <-stop:
		}
	}()
	err := do(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause // why do gave up says less
	}
	return err
}

func (ps *processes) spawn(c component.Component, p *process) error {
	log, err := os.OpenFile(ps.plan.Log(c.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	path := filepath.Join(ps.plan.Binaries, c.Name)
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer nothing.Close()

	ps.mu.Lock() // a program that ends at once is not reaped before it is known
	defer ps.mu.Unlock()
	child, err := os.StartProcess(path, append([]string{path}, c.Args...), &os.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []*os.File{nothing, log, log},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	ps.running[child.Pid] = p
	return child.Release()
}

// reap collects all children that have ended.
func (ps *processes) reap() {
	for {
		var result unix.WaitStatus
		pid, err := unix.Wait4(-1, &result, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		ps.mu.Lock()
		p := ps.running[pid]
		delete(ps.running, pid)
		ps.mu.Unlock()
		if p != nil {
			ps.ended(p, result)
		}
	}
}

func (ps *processes) ended(p *process, result unix.WaitStatus) {
	if p.done != nil {
		p.done <- result
		return
	}
	if os.Remove(ps.plan.RestartRequest(p.Name)) == nil && ps.start(p.Component) == nil {
		return
	}
	ps.changed(status.Component{Name: p.Name, Exited: describe(result)})
	select {
	case ps.failed <- fmt.Errorf("%s ended: %s: see %s", p.Name, describe(result), ps.plan.Log(p.Name)):
	default: // the first one is what matters
	}
}

func describe(result unix.WaitStatus) string {
	if result.Signaled() {
		return "killed by signal " + unix.SignalName(result.Signal())
	}
	return fmt.Sprintf("exit code %d", result.ExitStatus())
}
