package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// serverCore and clientCore keep a server and what loads it apart.
	serverCore, clientCore = "0", "1"
	connections            = 32
	// loadTime is how long a server is loaded before another one has its turn.
	loadTime = 2 * time.Second
)

// server is a program that answers HTTP at the port in FUNC_PORT, on one core.
type server struct {
	name string
	// dir is where command runs.
	dir     string
	command []string
	env     []string
}

// startedServer is one that answers.
type startedServer struct {
	server
	url     string
	process *exec.Cmd
	// start is the time from the start of the process to its first answer.
	start  time.Duration
	output *bytes.Buffer
}

// launch starts the server and waits until it answers at path.
func (s server) launch(ctx context.Context, path string) (*startedServer, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	started := &startedServer{server: s, url: "http://" + address, output: &bytes.Buffer{}}
	started.process = exec.CommandContext(ctx, "taskset", append([]string{"-c", serverCore}, s.command...)...)
	started.process.Dir = s.dir
	started.process.Env = append(os.Environ(), append([]string{"FUNC_PORT=" + port}, s.env...)...)
	started.process.Stdout, started.process.Stderr = started.output, started.output
	begin := time.Now()
	if err := started.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	for time.Since(begin) < time.Minute {
		if answers(ctx, started.url+path) {
			started.start = time.Since(begin)
			return started, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("start %s: it does not answer; it said:\n%s", s.name, started.output), started.stop())
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (s *startedServer) stop() error {
	if err := s.process.Process.Kill(); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	var exit *exec.ExitError
	if err := s.process.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

// residentMemory is that of the server in MiB.
func (s *startedServer) residentMemory() (float64, error) {
	return memoryOfProcess(s.process.Process.Pid, "VmRSS")
}

// peakMemory is the most that a process took so far, in MiB.
func peakMemory(pid int) (float64, error) { return memoryOfProcess(pid, "VmHWM") }

func memoryOfProcess(pid int, kind string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	found := regexp.MustCompile(kind + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("read memory of process %d: its status has no %s", pid, kind)
	}
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	return kilobytes / 1024, err
}

// load is what came of loading a server.
type load struct {
	requests  float64
	perSecond float64
	// p99 is the latency that 99 of 100 requests don't exceed, in ms.
	p99 float64
}

// request is what a server is loaded with: a GET of the path, or what the
// script of wrk makes of it.
type request struct{ path, script string }

// load has wrk call the server over as many connections as it takes to keep it busy.
func (s *startedServer) load(ctx context.Context, what request, duration time.Duration) (load, error) {
	args := []string{"-c", clientCore, "wrk", "--latency", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%.0fs", duration.Seconds()), "--timeout", "30s"}
	if what.script != "" {
		args = append(args, "-s", what.script)
	}
	command := exec.CommandContext(ctx, "taskset", append(args, s.url+what.path)...)
	output, err := command.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return load{}, fmt.Errorf("run taskset: %w", err)
	}
	if err != nil {
		return load{}, fmt.Errorf("load %s by wrk (on Debian: apt-get install wrk): %w\n%s", s.name, err, output)
	}
	if strings.Contains(string(output), "Non-2xx") || strings.Contains(string(output), "Socket errors") {
		return load{}, fmt.Errorf("load %s: some requests failed:\n%s\nit said:\n%s", s.name, output, s.output)
	}
	return parseLoad(string(output))
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s+(\d+) requests in`)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)\s*$`)
	wrkP99      = regexp.MustCompile(`(?m)^\s+99%\s+([\d.]+)(us|ms|s)\s*$`)
)

func parseLoad(output string) (load, error) {
	requests, rate, p99 := wrkRequests.FindStringSubmatch(output), wrkRate.FindStringSubmatch(output), wrkP99.FindStringSubmatch(output)
	if requests == nil || rate == nil || p99 == nil {
		return load{}, fmt.Errorf("parse wrk's output: there is no count, rate or 99%% in\n%s", output)
	}
	milliseconds := map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
	return load{requests: number(requests[1]), perSecond: number(rate[1]), p99: number(p99[1]) * milliseconds}, nil
}

func number(text string) float64 {
	value, _ := strconv.ParseFloat(text, 64)
	return value
}

// takeTurns loads servers one after another, several rounds long, and returns
// what came of it by server and round. The first of a round is another one each time.
func takeTurns(ctx context.Context, rounds int, what request, servers ...*startedServer) (map[string][]load, error) {
	loads := map[string][]load{}
	for round := range rounds + 1 {
		for i := range servers {
			s := servers[(i+round)%len(servers)]
			measured, err := s.load(ctx, what, loadTime)
			if err != nil {
				return nil, err
			}
			// The first round warms them up.
			if round > 0 {
				loads[s.name] = append(loads[s.name], measured)
			}
		}
	}
	return loads, nil
}

// startAll starts servers; the returned function stops them.
func startAll(ctx context.Context, path string, servers ...server) (started []*startedServer, stop func() error, err error) {
	stop = func() error {
		var failures []error
		for _, s := range started {
			failures = append(failures, s.stop())
		}
		return errors.Join(failures...)
	}
	for _, s := range servers {
		running, err := s.launch(ctx, path)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		started = append(started, running)
	}
	return started, stop, nil
}

// compare is a row: by round, what of says of the one load over what it says of the other.
func compare(name, unit, aim string, of func(load) float64, values, baselines []load) measurement {
	var figures []figure
	for i := range values {
		figures = append(figures, figure{of(values[i]), of(baselines[i])})
	}
	return summarizeFigures(name, unit, aim, figures)
}

func rate(l load) float64    { return l.perSecond }
func latency(l load) float64 { return l.p99 }
