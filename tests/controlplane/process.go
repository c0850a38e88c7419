package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a program may take to end before it is killed.
const patience = 10 * time.Second

// Program is what to run.
type Program struct {
	Name, Path string
	Args       []string
	// Env is added to the environment.
	Env []string
}

// Process is a running program.
type Process struct {
	name, log string
	command   *exec.Cmd
	cancel    context.CancelFunc
	ended     chan struct{}
}

// StartProcess starts the program, with its log in the directory.
func StartProcess(ctx context.Context, program Program, dir string) (*Process, error) {
	path := filepath.Join(dir, program.Name+".log")
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", program.Name, err)
	}
	defer log.Close()
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, program.Path, program.Args...)
	command.Env = append(os.Environ(), program.Env...)
	command.Stdout, command.Stderr = log, log
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	if err := command.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", program.Name, err)
	}
	process := &Process{name: program.Name, log: path, command: command, cancel: cancel, ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // what it says is in the log
		close(process.ended)
	}()
	return process, nil
}

// Stop ends the process and waits for its end.
func (p *Process) Stop() {
	p.cancel()
	<-p.ended
}

// Err is an error once the process has ended.
func (p *Process) Err() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended: %s; see %s", p.name, p.command.ProcessState, p.log)
	default:
		return nil
	}
}

// ResidentMemory is how much of the machine's memory the process takes, in bytes.
func (p *Process) ResidentMemory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of %s: %w", p.name, err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("read memory of %s: its status has no VmRSS", p.name)
}
