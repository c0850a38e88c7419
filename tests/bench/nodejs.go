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
	"strings"

	"sigs.k8s.io/yaml"
)

const nodeRuntime = "nodejs22"

// nodejs measures the Node.js server next to node:http alone, the floor, and
// next to Express used as the original does.
type nodejs struct {
	node, runtimeDir, benchDir string
}

func measureNodejs(ctx context.Context, options options) ([]measurement, error) {
	n, err := newNodejs(ctx)
	if err != nil {
		return nil, err
	}
	var table []measurement
	for _, benchmark := range []struct {
		name    string
		measure func(context.Context, string, int) ([]measurement, error)
	}{
		{"node_hello", n.hello},
		{"node_json", n.json},
		{"node_tracing", n.tracing},
		{"node_start", n.start},
		{"node_memory", n.memory},
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

// newNodejs installs and bundles the server as its image does.
func newNodejs(ctx context.Context) (*nodejs, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	n := &nodejs{runtimeDir: filepath.Join(root, "runtimes/nodejs"), benchDir: filepath.Join(root, "tests/bench/nodejs")}
	if n.node, err = nodeOfImage(ctx, filepath.Join(n.runtimeDir, "image.yaml")); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{n.benchDir, []string{"ci", "--no-audit", "--no-fund"}},
		{n.runtimeDir, []string{"ci", "--no-audit", "--no-fund"}},
		{n.runtimeDir, []string{"run", "build"}},
	} {
		command := exec.CommandContext(ctx, "npm", step.args...)
		command.Dir = step.dir
		if output, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm %s in %s: %w\n%s", strings.Join(step.args, " "), step.dir, err, output)
		}
	}
	return n, nil
}

// nodeOfImage is the program node that the runtime's image has.
func nodeOfImage(ctx context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var image struct {
		Versions map[string]struct{ Node string }
	}
	if err := yaml.Unmarshal(text, &image); err != nil {
		return "", fmt.Errorf("parse %s: %w", file, err)
	}
	architecture := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	name := fmt.Sprintf("node-linux-%s@%s", architecture, image.Versions[nodeRuntime].Node)
	command := exec.CommandContext(ctx, "npx", "--yes", "--package", name, "--", "node", "-p", "process.execPath")
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("get node by npx --package %s: %w", name, err)
	}
	return strings.TrimSpace(string(output)), nil
}

func (n *nodejs) bare() server {
	return server{name: "node:http", dir: n.benchDir, command: []string{n.node, "bare.mjs"}}
}

func (n *nodejs) express() server {
	return server{name: "express", dir: n.benchDir, command: []string{n.node, "express.mjs"}, env: []string{"FUNCTION_PATH=" + n.function()}}
}

func (n *nodejs) runtime(name string, env ...string) server {
	env = append(env, "FUNCTION_PATH="+n.function())
	return server{name: name, dir: n.runtimeDir, command: []string{n.node, "dist/server.mjs"}, env: env}
}

func (n *nodejs) function() string { return filepath.Join(n.benchDir, "function") }

func (n *nodejs) hello(ctx context.Context, name string, rounds int) ([]measurement, error) {
	return n.throughput(ctx, name, rounds, request{path: "/"})
}

func (n *nodejs) json(ctx context.Context, name string, rounds int) ([]measurement, error) {
	return n.throughput(ctx, name, rounds, request{path: "/json", script: filepath.Join(n.benchDir, "echo.lua")})
}

func (n *nodejs) throughput(ctx context.Context, name string, rounds int, what request) (table []measurement, err error) {
	servers, stop, err := startAll(ctx, "/", n.bare(), n.runtime("runtime"), n.express())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	loads, err := takeTurns(ctx, rounds, what, servers...)
	if err != nil {
		return nil, err
	}
	ours, bare, express := loads["runtime"], loads["node:http"], loads["express"]
	return []measurement{
		compare(name, "req/s", "≥ 0.6", rate, ours, bare),
		compare(name+"_express", "req/s", "≥ 4", rate, ours, express),
		compare(name+"_p99", "ms", "", latency, ours, bare),
		compare(name+"_express_p99", "ms", "", latency, ours, express),
	}, nil
}

// tracing compares the server that exports spans with itself.
func (n *nodejs) tracing(ctx context.Context, name string, rounds int) (table []measurement, err error) {
	collector := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		response.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(response, "{}")
	}))
	defer collector.Close()
	servers, stop, err := startAll(ctx, "/", n.runtime("plain"), n.runtime("traced", "TRACE_COLLECTOR_ENDPOINT="+collector.URL+"/v1/traces"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	loads, err := takeTurns(ctx, rounds, request{path: "/json", script: filepath.Join(n.benchDir, "echo.lua")}, servers...)
	if err != nil {
		return nil, err
	}
	return []measurement{compare(name, "req/s", "≥ 0.67", rate, loads["traced"], loads["plain"])}, nil
}

// start compares the times from the start of the process to the first answer.
func (n *nodejs) start(ctx context.Context, name string, rounds int) ([]measurement, error) {
	var figures []figure
	for range 3 * rounds {
		var took [2]float64
		for i, s := range []server{n.runtime("runtime"), n.bare()} {
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
func (n *nodejs) memory(ctx context.Context, name string, _ int) ([]measurement, error) {
	return memoryOf(ctx, name, n.runtime("runtime"))
}
