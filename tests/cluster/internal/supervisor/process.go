package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kyma-project.io/serverless/tests/cluster/internal/machine"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// Start starts the supervisor, detached from the terminal and from the caller.
func Start(p *plan.Plan) error {
	log, err := os.OpenFile(p.Log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self, "supervise", "--dir", p.Dir)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	awaitCommandLine(cmd.Process.Pid)
	// The status names the supervisor from the first moment on: who waits for
	// it can tell one that has not written it yet from one that is dead.
	first := status.Status{Supervisor: cmd.Process.Pid}
	return errors.Join(first.Write(p.Dir), cmd.Process.Release())
}

// awaitCommandLine waits until the new process can be recognized: the kernel
// tells the parent of the start a moment before it shows the command line. One
// that has ended has none.
func awaitCommandLine(pid int) {
	for until := time.Now().Add(time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if line, err := os.ReadFile(commandLine(pid)); err != nil || len(line) > 0 {
			return
		}
	}
}

// Running says whether the cluster's supervisor lives.
func Running(p *plan.Plan) bool {
	s, err := status.Read(p.Dir)
	return err == nil && s != nil && isOurs(s.Supervisor, "supervise", p.Dir)
}

// Stop ends the cluster's processes and removes what it made on the host, also
// when the supervisor was killed and could not.
func Stop(ctx context.Context, p *plan.Plan) error {
	s, err := status.Read(p.Dir)
	if err != nil {
		return err
	}
	if s != nil {
		if err := end(ctx, s.Supervisor, unix.SIGTERM, "supervise", p.Dir); err != nil {
			return err
		}
		if err := end(ctx, s.Init, unix.SIGKILL, "node-init", p.Dir); err != nil {
			return err
		}
	}
	return machine.Clean(ctx, p)
}

// end signals a process of this cluster, if it is one still, and waits for its
// end: for the first process of a namespace that is the end of all in it.
func end(ctx context.Context, pid int, signal unix.Signal, role, dir string) error {
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !isOurs(pid, role, dir) { // asked now, when the id can't be reused any more
		return nil
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	const step = 100 // milliseconds between looks at the context
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, step)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("wait for the end of process %d: %w: see `ps -f %[1]d`", pid, ctx.Err())
}

// isOurs recognizes a process by its command line: ids are used again.
func isOurs(pid int, role, dir string) bool {
	line, err := os.ReadFile(commandLine(pid))
	if err != nil {
		return false
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return len(args) == 4 && args[1] == role && args[2] == "--dir" && args[3] == dir
}

func commandLine(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid), "cmdline") }
