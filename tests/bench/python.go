package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// python measures the Python server next to uvicorn alone, the floor, and next
// to Bottle on cheroot used as the original does.
type python struct {
	// python is the command that runs the image's Python.
	python             []string
	env                []string
	image, bench, more string
}

func measurePython(ctx context.Context, options options) ([]measurement, error) {
	p, err := newPython(ctx)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(p.more)
	var table []measurement
	for _, benchmark := range []struct {
		name    string
		measure func(context.Context, string, int) ([]measurement, error)
	}{
		{"python_hello", p.hello},
		{"python_json", p.json},
		{"python_tracing", p.tracing},
		{"python_start", p.start},
		{"python_memory", p.memory},
	} {
		if !options.wants(benchmark.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, benchmark.name)
		rows, err := benchmark.measure(ctx, benchmark.name, options.runs)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", benchmark.name, err)
		}
		table = append(table, rows...)
	}
	return table, nil
}

// newPython unpacks the image, and finds cheroot, which isn't in it.
func newPython(ctx context.Context) (*python, error) {
	const image = "function-runtime-python313"
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if output, err := exec.CommandContext(ctx, "build/bin/images", "--unpack", "build/runtimes", image).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("unpack %s: %w\n%s", image, err, output)
	}
	p := &python{image: filepath.Join(root, "build/runtimes", image), bench: filepath.Join(root, "tests/bench/python")}
	loader := map[string][2]string{
		"amd64": {"usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"},
		"arm64": {"usr/lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"},
	}[runtime.GOARCH]
	program := filepath.Join(p.image, "usr/bin/python3.13")
	p.python = []string{filepath.Join(p.image, loader[0]), "--library-path", filepath.Join(p.image, loader[1]), "--argv0", program, program}
	p.env = []string{"PYTHONHOME=" + filepath.Join(p.image, "usr"), "PYTHONDONTWRITEBYTECODE=1", "FUNC_HANDLER=main",
		"FUNCTION_PATH=" + filepath.Join(p.bench, "function"), "FUNC_DRAIN_SECONDS=0"}
	if p.more, err = os.MkdirTemp("", "cheroot-*"); err != nil {
		return nil, err
	}
	// Nothing else of this machine's packages: those are for another Python.
	for _, name := range []string{"cheroot", "jaraco", "more_itertools", "six.py"} {
		source := filepath.Join("/usr/lib/python3/dist-packages", name)
		if _, err := os.Stat(source); err != nil {
			return nil, fmt.Errorf("find cheroot (on Debian: apt-get install python3-cheroot): %w", errors.Join(err, os.RemoveAll(p.more)))
		}
		if err := os.Symlink(source, filepath.Join(p.more, name)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *python) server(name, script string, env ...string) server {
	return server{name: name, dir: p.bench, command: append(append([]string{}, p.python...), script), env: append(append([]string{}, p.env...), env...)}
}

func (p *python) bare() server { return p.server("uvicorn", filepath.Join(p.bench, "bare.py")) }

func (p *python) bottle() server {
	return p.server("bottle", filepath.Join(p.bench, "bottle_cheroot.py"), "PYTHONPATH="+p.more)
}

func (p *python) runtime(name, module string, env ...string) server {
	return p.server(name, filepath.Join(p.image, "usr/src/app/server.py"), append(env, "MOD_NAME="+module)...)
}

func (p *python) hello(ctx context.Context, name string, rounds int) ([]measurement, error) {
	return p.throughput(ctx, name, rounds, request{path: "/"})
}

func (p *python) json(ctx context.Context, name string, rounds int) ([]measurement, error) {
	return p.throughput(ctx, name, rounds, p.echo())
}

func (p *python) echo() request {
	return request{path: "/json", script: filepath.Join(filepath.Dir(p.bench), "nodejs", "echo.lua")}
}

func (p *python) throughput(ctx context.Context, name string, rounds int, what request) (table []measurement, err error) {
	servers, stop, err := startAll(ctx, "/", p.bare(), p.runtime("async", "coroutine"), p.runtime("def", "handler"), p.bottle())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	loads, err := takeTurns(ctx, rounds, what, servers...)
	if err != nil {
		return nil, err
	}
	return []measurement{
		compare(name, "req/s", "≥ 0.6", rate, loads["async"], loads["uvicorn"]),
		compare(name+"_bottle", "req/s", "≥ 4", rate, loads["def"], loads["bottle"]),
		compare(name+"_p99", "ms", "", latency, loads["async"], loads["uvicorn"]),
		compare(name+"_bottle_p99", "ms", "", latency, loads["def"], loads["bottle"]),
	}, nil
}

// tracing compares the server that exports spans with itself.
func (p *python) tracing(ctx context.Context, name string, rounds int) (table []measurement, err error) {
	collector := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		response.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(response, "{}")
	}))
	defer collector.Close()
	traced := p.runtime("traced", "coroutine", "TRACE_COLLECTOR_ENDPOINT="+collector.URL+"/v1/traces")
	servers, stop, err := startAll(ctx, "/", p.runtime("plain", "coroutine"), traced)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	loads, err := takeTurns(ctx, rounds, p.echo(), servers...)
	if err != nil {
		return nil, err
	}
	return []measurement{compare(name, "req/s", "≥ 0.67", rate, loads["traced"], loads["plain"])}, nil
}

// start compares the times from the start of the process to the first answer.
func (p *python) start(ctx context.Context, name string, rounds int) ([]measurement, error) {
	var figures []figure
	for range 3 * rounds {
		var took [2]float64
		for i, s := range []server{p.runtime("runtime", "coroutine"), p.bare()} {
			started, err := s.launch(ctx, "/")
			if err != nil {
				return nil, err
			}
			took[i] = float64(started.start.Microseconds()) / 1000
			if err := started.stop(); err != nil {
				return nil, err
			}
		}
		figures = append(figures, figure{took[0], took[1]})
	}
	return []measurement{summarizeFigures(name, "ms", "≤ floor + 150 ms", figures)}, nil
}

// memory compares what the server takes after many large answers with what it
// takes after a tenth of them.
func (p *python) memory(ctx context.Context, name string, _ int) ([]measurement, error) {
	return memoryOf(ctx, name, p.runtime("runtime", "large"))
}
