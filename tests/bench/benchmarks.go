package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

// editToAnswer: a source is edited until the new answer, next to the floor.
func (l *laboratory) editToAnswer(ctx context.Context, run int) (pair, error) {
	answer := fmt.Sprintf("edit %d", run)
	begin := time.Now()
	former := l.edited.DeepCopy()
	l.edited.Spec.Source.Inline.Source = fmt.Sprintf(echo, answer)
	if err := l.client.Patch(ctx, l.edited, client.MergeFrom(former)); err != nil {
		return pair{}, fmt.Errorf("edit Function: %w", err)
	}
	if err := await(ctx, l.editedURL, answer); err != nil {
		return pair{}, err
	}
	value := time.Since(begin)
	baseline, err := l.setEnv(ctx, answer)
	return pair{value, baseline}, err
}

// secondFunction: a Function whose dependencies another one has is created
// until it answers, next to the floor.
func (l *laboratory) secondFunction(ctx context.Context, run int) (pair, error) {
	answer := fmt.Sprintf("second %d", run)
	value, err := l.create(ctx, l.function(fmt.Sprintf("second-%d", run), fmt.Sprintf(echo, answer), dependencies), answer)
	if err != nil {
		return pair{}, err
	}
	baseline, err := l.setEnv(ctx, answer)
	return pair{value, baseline}, err
}

// setEnv is the floor of any redeployment: what `kubectl set env` does to a
// Deployment whose image is on the node, until the new value is the answer.
func (l *laboratory) setEnv(ctx context.Context, answer string) (time.Duration, error) {
	begin := time.Now()
	former := l.floor.DeepCopy()
	setAnswer(l.floor, answer)
	if err := l.client.Patch(ctx, l.floor, client.MergeFrom(former)); err != nil {
		return 0, fmt.Errorf("set env of floor: %w", err)
	}
	err := await(ctx, l.floorURL, answer)
	return time.Since(begin), err
}

// firstBuild: a Function with dependencies that were never seen before is
// created until it answers, next to `npm install` of the same on this machine.
func (l *laboratory) firstBuild(ctx context.Context, run int) (pair, error) {
	answer := fmt.Sprintf("first %d", run)
	manifest := fmt.Sprintf(`{"engines": {"node": ">=18 <%d"}, "dependencies": {"express": "5.1.0"}}`, l.started.UnixNano()+int64(run))
	source := fmt.Sprintf("require('express'); module.exports = { main: () => %q };", answer)
	value, err := l.create(ctx, l.function(fmt.Sprintf("first-%d", run), source, manifest), answer)
	if err != nil {
		return pair{}, err
	}
	baseline, err := npmInstall(ctx, manifest)
	return pair{value, baseline}, err
}

func (l *laboratory) create(ctx context.Context, fn *v1alpha2.Function, answer string) (time.Duration, error) {
	url, err := endpoint.Expose(ctx, l.client, client.ObjectKeyFromObject(fn))
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := l.client.Create(ctx, fn); err != nil {
		return 0, fmt.Errorf("create Function: %w", err)
	}
	if err := await(ctx, url, answer); err != nil {
		return 0, err
	}
	return time.Since(begin), l.client.Delete(ctx, fn)
}

// npmInstall installs with an empty cache, as a build does.
func npmInstall(ctx context.Context, manifest string) (time.Duration, error) {
	directory, err := os.MkdirTemp("", "npm-install-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(directory)
	if err := os.WriteFile(filepath.Join(directory, "package.json"), []byte(manifest), 0o644); err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, "npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--cache", filepath.Join(directory, "cache"))
	command.Dir = directory
	begin := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("npm install: %w\n%s", err, output)
	}
	return time.Since(begin), nil
}
