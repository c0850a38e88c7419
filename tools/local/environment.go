package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// environment is what the steps find out and the next ones need.
type environment struct {
	name, tools string
	// source is the directory of the sources that are installed.
	source string
	// kubeconfig and assets are the paths of the cluster's kubeconfig file and of kubectl.
	kubeconfig, assets string
	// registry is the address that releases are pulled from, tag that of the images.
	registry, tag string
	exampleURL    string
	client        client.Client
}

// show runs one of the project's programs, with its output in view.
func (e *environment) show(ctx context.Context, program string, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(e.tools, program), args...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("run %s %s: %w", program, strings.Join(args, " "), err)
	}
	return nil
}

// ask runs one of the project's programs, with its progress in view, and
// returns what it prints.
func (e *environment) ask(ctx context.Context, program string, args ...string) (string, error) {
	return e.output(ctx, ".", os.Stderr, program, args)
}

// askSource is ask for a program of the sources that are installed.
func (e *environment) askSource(ctx context.Context, program string, args ...string) (string, error) {
	return e.output(ctx, e.source, os.Stderr, program, args)
}

// askSourceQuietly is askSource without the progress, which is shown if it fails.
func (e *environment) askSourceQuietly(ctx context.Context, program string, args ...string) (string, error) {
	var progress bytes.Buffer
	output, err := e.output(ctx, e.source, &progress, program, args)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, progress.String())
	}
	return output, err
}

func (e *environment) output(ctx context.Context, directory string, progress io.Writer, program string, args []string) (string, error) {
	var output bytes.Buffer
	path, err := filepath.Abs(filepath.Join(directory, e.tools, program))
	if err != nil {
		return "", fmt.Errorf("find %s of %s: %w", program, directory, err)
	}
	command := exec.CommandContext(ctx, path, args...)
	command.Dir, command.Stdout, command.Stderr = directory, &output, progress
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("run %s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(output.String()), nil
}

// kubectl applies as a user would, so that what users do is what is tried.
func (e *environment) kubectl(ctx context.Context, stdin []byte, args ...string) error {
	var output bytes.Buffer
	command := exec.CommandContext(ctx, filepath.Join(e.assets, "kubectl"), append([]string{"--kubeconfig", e.kubeconfig}, args...)...)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &output, &output
	if err := command.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, output.String())
	}
	return nil
}

func (e *environment) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", e.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", e.kubeconfig, err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha2.AddToScheme, operatorv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	e.client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

// await asks until done says so, and shows each new answer meanwhile.
func await(ctx context.Context, what string, limit time.Duration, done func(context.Context) (bool, string, error)) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	var shown string
	for {
		ready, state, err := done(ctx)
		if err != nil {
			state = err.Error()
		}
		if ready {
			fmt.Printf("  ✓ %s (%s)\n", what, time.Since(begin).Round(100*time.Millisecond))
			return nil
		}
		if state != shown && state != "" {
			fmt.Printf("    %6s  %s: %s\n", time.Since(begin).Round(100*time.Millisecond), what, state)
			shown = state
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: not ready after %s; last seen: %s", what, limit, shown)
		case <-ticker.C:
		}
	}
}
