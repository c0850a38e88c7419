// Package supervisor is the process on the host that a cluster lives and dies
// with: it makes the node's namespaces, connects them and forwards ports.
package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/tests/cluster/internal/forward"
	"kyma-project.io/serverless/tests/cluster/internal/kube"
	"kyma-project.io/serverless/tests/cluster/internal/machine"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// Run keeps the cluster running until the context ends, and then removes all it
// made on the host.
func Run(ctx context.Context, p *plan.Plan) error {
	s := &supervisor{plan: p, status: status.Status{Supervisor: os.Getpid()}}
	s.update(func(*status.Status) {})
	err := s.run(ctx)
	if err != nil {
		s.update(func(st *status.Status) { st.Error = err.Error() })
	}
	return errors.Join(err, machine.Clean(context.WithoutCancel(ctx), p))
}

type supervisor struct {
	plan *plan.Plan

	mu     sync.Mutex
	status status.Status
}

func (s *supervisor) run(ctx context.Context) error {
	if err := machine.MakeCgroups(s.plan.Mark()); err != nil {
		return err
	}
	node, control, events, err := s.startNode()
	if err != nil {
		return err
	}
	defer func() {
		_ = node.Process.Kill() // takes all processes of the node with it
		_ = node.Wait()
	}()
	s.update(func(st *status.Status) { st.Init = node.Process.Pid })
	if err := machine.Connect(ctx, s.plan, node.Process.Pid); err != nil {
		return err
	}
	if err := s.forward(ctx); err != nil {
		return err
	}
	if _, err := control.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell the node that its network is there: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		s.follow(events)
		close(ended)
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-ended:
		return fmt.Errorf("run node: its first process ended: see %s", s.plan.Log("node"))
	}
}

// startNode starts the first process of the node. The kernel kills it, and with
// it all others in its process namespace, when the thread that started it ends:
// the caller's goroutine stays on that thread until it returns.
func (s *supervisor) startNode() (node *exec.Cmd, control io.Writer, events io.Reader, err error) {
	runtime.LockOSThread()
	log, err := os.OpenFile(s.plan.Log("node"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	node = exec.Command("/proc/self/exe", "node-init", "--dir", s.plan.Dir)
	node.Stderr = log
	node.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	if control, err = node.StdinPipe(); err != nil {
		return nil, nil, nil, fmt.Errorf("make control pipe: %w", err)
	}
	if events, err = node.StdoutPipe(); err != nil {
		return nil, nil, nil, fmt.Errorf("make event pipe: %w", err)
	}
	if err := node.Start(); err != nil {
		return nil, nil, nil, fmt.Errorf("make the node's namespaces: %w", err)
	}
	return node, control, events, nil
}

// forward offers the API server, and each node port once there are Services.
func (s *supervisor) forward(ctx context.Context) error {
	if _, err := forward.Listen(s.plan.APIPort, netip.AddrPortFrom(s.plan.NodeIP(), 6443)); err != nil {
		return err
	}
	client, err := kube.NewClient(s.plan.Kubeconfig())
	if err != nil {
		return err
	}
	ports := forward.NewNodePorts(s.plan.NodeIP())
	go func() {
		if err := client.WaitReady(ctx); err != nil {
			return // the cluster stopped before it was ready
		}
		client.WatchServices(ctx, func(services []*corev1.Service) {
			offered := ports.Set(services)
			s.update(func(st *status.Status) { st.NodePorts = offered })
		})
	}()
	return nil
}

// follow notes what the node tells, until it ends.
func (s *supervisor) follow(events io.Reader) {
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		var event status.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			fmt.Fprintf(os.Stderr, "read event %q: %v\n", lines.Text(), err)
			continue
		}
		s.update(func(st *status.Status) { st.Apply(event, time.Now()) })
	}
}

func (s *supervisor) update(change func(*status.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	if err := s.status.Write(s.plan.Dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
