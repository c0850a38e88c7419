package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// stage is a set of tests that run together.
type stage struct {
	name, what string
	run        func(ctx context.Context, log string) (tally, error)
}

func stages(assets string) []stage {
	// The end-to-end specs are a stage of their own, on a cluster of their own.
	envtest := []string{"KUBEBUILDER_ASSETS=" + assets, "KUBECONFIG="}
	return []stage{
		{"generated", "generated code is what the sources give", func(ctx context.Context, log string) (tally, error) {
			return check(ctx, log, "make", "verify-generated")
		}},
		{"vet", "code is formatted and vetted", func(ctx context.Context, log string) (tally, error) {
			return check(ctx, log, "make", "vet")
		}},
		{"unit", "packages, with a real registry and Git server", func(ctx context.Context, log string) (tally, error) {
			packages, err := packagesBut(ctx, "kyma-project.io/serverless/controllers", "kyma-project.io/serverless/tests/e2e")
			if err != nil {
				return tally{}, err
			}
			return goTests(ctx, log, ".", envtest, packages...)
		}},
		{"controllers", "the reconcilers, with a real API server and registry", func(ctx context.Context, log string) (tally, error) {
			return specs(ctx, log, "./controllers", 3, envtest, "--timeout=20m")
		}},
		{"cluster", "the local Kubernetes", func(ctx context.Context, log string) (tally, error) {
			// Up, down, and nothing left: as root, on this machine.
			return goTests(ctx, log, "tests/cluster", []string{"CLUSTER_TEST=1"}, "./...")
		}},
		{"nodejs", "the Node.js runtime", func(ctx context.Context, log string) (tally, error) {
			return nodeTests(ctx, log, "runtimes/nodejs")
		}},
		{"python", "the Python runtime", func(ctx context.Context, log string) (tally, error) {
			return pythonTests(ctx, log, "runtimes/python")
		}},
		{"e2e", "the module on a real cluster", func(ctx context.Context, log string) (tally, error) {
			return endToEnd(ctx, log, assets)
		}},
		{"upgrade", "the module on a real cluster, from its former version", func(ctx context.Context, log string) (tally, error) {
			return upgrade(ctx, log, assets)
		}},
	}
}

func goTests(ctx context.Context, log, directory string, env []string, args ...string) (tally, error) {
	return parsed(ctx, log, parseGoTest, command(ctx, directory, env, "go", append([]string{"test", "-json"}, args...)...))
}

// packagesBut lists the module's packages without some, which have stages of their own.
func packagesBut(ctx context.Context, others ...string) ([]string, error) {
	list, err := ask(ctx, "go", "list", "./...")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(list), func(pkg string) bool { return slices.Contains(others, pkg) }), nil
}

// nodeTests runs a Node.js runtime's tests with each version that its image has.
func nodeTests(ctx context.Context, log, directory string) (tally, error) {
	versions, err := nodeVersions(filepath.Join(directory, "image.yaml"))
	if err != nil {
		return tally{}, err
	}
	install := command(ctx, directory, nil, "npm", "ci", "--no-audit", "--no-fund")
	if output, err := install.CombinedOutput(); err != nil {
		return tally{}, fmt.Errorf("npm ci: %w\n%s", err, output)
	}
	var sum tally
	for _, version := range versions {
		tests := command(ctx, directory, nil, "npx", "--yes", "--package", version, "--", "npm", "test")
		result, err := parsed(ctx, log, parseNodeTest, tests)
		sum.add(result)
		sum.failures = append(sum.failures, result.failures...)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// nodeVersions are the npm packages with the Node.js binaries of a runtime's versions.
func nodeVersions(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var image struct {
		Versions map[string]struct{ Node string }
	}
	if err := yaml.Unmarshal(text, &image); err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	architecture := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if architecture == "" {
		architecture = runtime.GOARCH
	}
	var packages []string
	for _, name := range slices.Sorted(maps.Keys(image.Versions)) {
		packages = append(packages, fmt.Sprintf("node-%s-%s@%s", runtime.GOOS, architecture, image.Versions[name].Node))
	}
	return packages, nil
}

// check is one test: the command succeeds.
func check(ctx context.Context, log string, program string, args ...string) (tally, error) {
	return parsed(ctx, log, func(io.Reader, io.Writer) (tally, error) { return tally{}, nil }, command(ctx, ".", nil, program, args...))
}

// parsed runs the command, has its output parsed and keeps it in the log. A
// command that gives no counts is one test.
func parsed(_ context.Context, log string, parse func(io.Reader, io.Writer) (tally, error), command *exec.Cmd) (tally, error) {
	file, err := os.Create(log)
	if err != nil {
		return tally{}, err
	}
	defer file.Close()
	reader, writer := io.Pipe()
	var errorOutput bytes.Buffer
	command.Stdout, command.Stderr = writer, io.MultiWriter(file, &errorOutput)
	failure := make(chan error, 1)
	go func() {
		failure <- command.Run()
		writer.Close()
	}()
	result, parseErr := parse(reader, file)
	_, copyErr := io.Copy(file, reader)
	err = errors.Join(<-failure, parseErr, copyErr)
	if err == nil && result.passed+result.failed == 0 && len(result.skipped) == 0 {
		result.passed = 1
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, lastLines(errorOutput.String(), 20))
	}
	return result, err
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

func command(ctx context.Context, directory string, env []string, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = directory
	command.Env = append(os.Environ(), env...)
	return command
}

func ask(ctx context.Context, program string, args ...string) (string, error) {
	command := command(ctx, ".", nil, program, args...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}
