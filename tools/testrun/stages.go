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
		{"release", "a release, into a registry of its own", func(ctx context.Context, log string) (tally, error) {
			return check(ctx, log, "make", "release-dry-run")
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

// nodeTests runs a Node.js runtime's tests with each version that its image
// has, on what the image's installation makes of the server; and, with the
// newest, those of its answers on the server that developers run.
func nodeTests(ctx context.Context, log, directory string) (tally, error) {
	image, err := readNodeImage(filepath.Join(directory, "image.yaml"))
	if err != nil {
		return tally{}, err
	}
	for _, step := range image.Install {
		install := command(ctx, directory, []string{"npm_config_audit=false", "npm_config_fund=false"}, "sh", "-euc", step)
		if output, err := install.CombinedOutput(); err != nil {
			return tally{}, fmt.Errorf("%s: %w\n%s", step, err, output)
		}
	}
	type run struct{ script, server, version string }
	var runs []run
	versions := image.nodePackages()
	for _, version := range versions {
		runs = append(runs, run{"test", "dist/server.mjs", version})
	}
	runs = append(runs, run{"test-answers", "dev.mjs", versions[len(versions)-1]})
	var sum tally
	for _, r := range runs {
		tests := command(ctx, directory, []string{"SERVER=" + r.server}, "npx", "--yes", "--package", r.version, "--", "npm", "run", r.script)
		result, err := parsed(ctx, log, parseNodeTest, tests)
		sum.add(result)
		for _, failure := range result.failures {
			sum.failures = append(sum.failures, fmt.Sprintf("%s by %s: %s", r.server, r.version, failure))
		}
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// nodeImage is what the description of the Node.js runtime's images says of
// the server.
type nodeImage struct {
	Versions map[string]struct{ Node string }
	Install  []string
}

func readNodeImage(file string) (nodeImage, error) {
	var image nodeImage
	text, err := os.ReadFile(file)
	if err != nil {
		return image, err
	}
	if err := yaml.Unmarshal(text, &image); err != nil {
		return image, fmt.Errorf("parse %s: %w", file, err)
	}
	if len(image.Versions) == 0 {
		return image, fmt.Errorf("parse %s: it has no versions", file)
	}
	return image, nil
}

// nodePackages are the npm packages with the Node.js binaries, the oldest first.
func (i nodeImage) nodePackages() []string {
	architecture := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if architecture == "" {
		architecture = runtime.GOARCH
	}
	var packages []string
	for _, name := range slices.Sorted(maps.Keys(i.Versions)) {
		packages = append(packages, fmt.Sprintf("node-%s-%s@%s", runtime.GOOS, architecture, i.Versions[name].Node))
	}
	return packages
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
