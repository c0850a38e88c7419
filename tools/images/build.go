package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/debian"
	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/npm"
	"kyma-project.io/serverless/tools/images/internal/program"
	"kyma-project.io/serverless/tools/images/internal/runtime"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// publisher brings an image to where it is used from, and returns the reference
// that it has there, without digest.
type publisher interface {
	Publish(ctx context.Context, name string, what image.Pushable) (string, error)
}

// target is an image that can be built.
type target struct {
	name, group string
	build       func(ctx context.Context, platform v1.Platform) (v1.Image, error)
	// more is in the image, too, and none of its files says so.
	more []sbom.Package
}

const (
	programs = "programs"
	runtimes = "runtimes"
)

// builds are all the images of the module, for some platforms.
type builds struct {
	platforms []v1.Platform
	all       []target
	output    sync.Mutex
	// cache has what was found out about images; nil if they get no documents.
	cache *store.Store
}

// newBuilds finds out what can be built. What was looked up in Debian's archive
// before since is looked up again.
func newBuilds(ctx context.Context, images *store.Store, platforms []string, since time.Time) (*builds, error) {
	b := &builds{}
	for _, name := range platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil || platform.OS != "linux" || platform.Architecture == "" {
			return nil, fmt.Errorf("parse --platform %q: give it as linux/amd64", name)
		}
		b.platforms = append(b.platforms, *platform)
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	specs, err := runtime.Load(root)
	if err != nil {
		return nil, err
	}

	archive := func(goarch string) (*debian.Archive, error) { return debian.OpenArchive(images, goarch, since) }
	programBuilder := &program.Builder{Root: root, Images: images, Base: func(ctx context.Context, platform v1.Platform) (v1.Layer, error) {
		debian, err := archive(platform.Architecture)
		if err != nil {
			return nil, err
		}
		return program.Base(ctx, debian)
	}}
	for _, p := range program.All {
		b.all = append(b.all, target{name: p.Name, group: programs, build: func(ctx context.Context, platform v1.Platform) (v1.Image, error) {
			return programBuilder.Build(ctx, p, platform)
		}})
	}
	runtimeBuilder := &runtime.Builder{Images: images, NPM: &npm.Client{Images: images}, Archive: archive}
	for _, spec := range specs {
		for _, name := range slices.Sorted(maps.Keys(spec.Versions)) {
			b.all = append(b.all, target{name: spec.Image(name), group: runtimes, build: func(ctx context.Context, platform v1.Platform) (v1.Image, error) {
				return runtimeBuilder.Build(ctx, spec, name, platform)
			}, more: spec.Versions[name].Software()})
		}
	}
	return b, nil
}

// targets are the images with the given names, or of the groups; all for none.
func (b *builds) targets(names []string) ([]target, error) {
	if len(names) == 0 {
		return b.all, nil
	}
	var chosen []target
	for _, candidate := range b.all {
		if slices.Contains(names, candidate.name) || slices.Contains(names, candidate.group) {
			chosen = append(chosen, candidate)
		}
	}
	for _, name := range names {
		known := func(t target) bool { return t.name == name || t.group == name }
		if !slices.ContainsFunc(b.all, known) {
			return nil, fmt.Errorf("find image %q: there is none of that name; choose from %s, %s and %s",
				name, strings.Join(b.names(), ", "), programs, runtimes)
		}
	}
	return chosen, nil
}

func (b *builds) names() []string {
	names := make([]string, 0, len(b.all))
	for _, t := range b.all {
		names = append(names, t.name)
	}
	return names
}

// run builds and publishes targets, a few at a time. One that fails does not
// keep the others from being published.
func (b *builds) run(ctx context.Context, targets []target, to publisher) error {
	var (
		group    errgroup.Group
		failures = make([]error, len(targets))
	)
	group.SetLimit(goruntime.GOMAXPROCS(0))
	for i, t := range targets {
		group.Go(func() error {
			if err := b.buildAndPublish(ctx, t, to); err != nil {
				failures[i] = fmt.Errorf("build %s: %w", t.name, err)
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), errors.Join(failures...))
}

func (b *builds) buildAndPublish(ctx context.Context, t target, to publisher) error {
	started := time.Now()
	b.progress("building %s", t.name)
	images := make([]v1.Image, 0, len(b.platforms))
	var sizes []string
	for _, platform := range b.platforms {
		built, err := t.build(ctx, platform)
		if err != nil {
			return fmt.Errorf("for %s: %w", platform, err)
		}
		size, err := image.Size(built)
		if err != nil {
			return err
		}
		images = append(images, built)
		sizes = append(sizes, fmt.Sprintf("%s %.1f MB", platform, float64(size)/1e6))
	}
	joined, err := image.Join(b.platforms, images)
	if err != nil {
		return err
	}
	b.progress("built %s in %s (%s)", t.name, since(started), strings.Join(sizes, ", "))

	started = time.Now()
	ref, err := to.Publish(ctx, t.name, joined)
	if err != nil {
		return err
	}
	digest, err := joined.Digest()
	if err != nil {
		return err
	}
	if attaching, ok := to.(attacher); ok && b.cache != nil {
		if err := attachDocuments(ctx, b.cache, attaching, t, joined, images); err != nil {
			return err
		}
	}
	b.progress("published %s in %s", t.name, since(started))

	b.output.Lock()
	defer b.output.Unlock()
	fmt.Printf("%s %s@%s\n", t.name, ref, digest)
	return nil
}

func (b *builds) progress(format string, values ...any) {
	b.output.Lock()
	defer b.output.Unlock()
	fmt.Fprintf(os.Stderr, format+"\n", values...)
}

func since(started time.Time) time.Duration { return time.Since(started).Round(10 * time.Millisecond) }

// moduleRoot is the directory of the Go module that this runs in.
func moduleRoot(ctx context.Context) (string, error) {
	output, err := hosttool.Command{Name: "go", Args: []string{"env", "GOMOD"}}.Output(ctx)
	if err != nil {
		return "", err
	}
	gomod := strings.TrimSpace(string(output))
	if filepath.Base(gomod) != "go.mod" {
		return "", errors.New("find the module's directory: this is not below one; run it in a clone of the repository")
	}
	return filepath.Dir(gomod), nil
}

func hostPlatform() []string { return []string{"linux/" + goruntime.GOARCH} }
