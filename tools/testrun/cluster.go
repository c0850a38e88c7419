package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	// clusterName keeps the tests' cluster apart from the one that `make run` leaves running.
	clusterName = "test"
	// former is the commit of the version that the present one must upgrade: the
	// latest release, and as long as there is none, one that was in use.
	former = "fa7700dffe703fb5acb66f3472318edf4bd569d4"
)

// endToEnd tries the module on a cluster of its own.
func endToEnd(ctx context.Context, log, assets string) (tally, error) {
	return onCluster(ctx, ".", func(env []string) (tally, error) {
		return specs(ctx, log, "./tests/e2e", 3, append(env, pathWith(assets)), "--timeout=40m", "--label-filter=!upgrade")
	})
}

// upgrade installs the former version on a cluster of its own, and has the
// specs bring it up to the present one.
func upgrade(ctx context.Context, log, assets string) (tally, error) {
	source, err := formerSource(ctx)
	if err != nil {
		return tally{}, err
	}
	return onCluster(ctx, source, func(env []string) (tally, error) {
		env = append(env, pathWith(assets))
		return specs(ctx, log, "./tests/e2e", 1, env, "--timeout=20m", "--label-filter=upgrade")
	})
}

// onCluster starts a cluster with the module of some sources, and leaves
// nothing of it behind.
func onCluster(ctx context.Context, source string, test func(env []string) (tally, error)) (result tally, err error) {
	defer func() {
		down := command(context.WithoutCancel(ctx), ".", nil, "build/bin/local", "--name", clusterName, "down")
		err = errors.Join(err, down.Run())
	}()
	up := command(ctx, ".", nil, "build/bin/local", "--name", clusterName, "--source", source, "up")
	up.Stdout, up.Stderr = os.Stdout, os.Stderr
	if err := up.Run(); err != nil {
		return tally{}, fmt.Errorf("start cluster with the module: %w", err)
	}
	kubeconfig, err := ask(ctx, "build/bin/cluster", "kubeconfig", "--name", clusterName)
	if err != nil {
		return tally{}, err
	}
	return test([]string{"KUBECONFIG=" + kubeconfig})
}

// pathWith has the tests find kubectl.
func pathWith(assets string) string {
	return "PATH=" + assets + string(os.PathListSeparator) + os.Getenv("PATH")
}

// formerSource takes the former version's sources from the repository's
// history, with the programs that install it.
func formerSource(ctx context.Context) (string, error) {
	directory := filepath.Join("build", "former", former)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", fmt.Errorf("make directory of the former version: %w", err)
	}
	archive := directory + ".tar"
	for _, args := range [][]string{
		{"git", "archive", "--output", archive, former},
		{"tar", "-C", directory, "-xf", archive},
		{"make", "-C", directory, "build/bin/images", "build/bin/manifest"},
	} {
		if output, err := command(ctx, ".", nil, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("take the former version %s from the history (a full clone has it): %w\n%s", former, err, output)
		}
	}
	return directory, nil
}
