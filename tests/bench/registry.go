package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	openregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/internal/repository"
)

const (
	// edits of one Function, of which it keeps keptRevisions and what runs.
	edits, keptRevisions = 100, 10
	// smallTree and largeTree are sizes of what a builder pushes.
	smallTree, largeTree = 10 << 20, 400 << 20
	mebibyte             = 1 << 20
)

// measureRegistry measures what images take: of the registry's disk, and of
// the builder's memory. It needs no cluster.
func measureRegistry(ctx context.Context, options options) (table []measurement, err error) {
	store, err := openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	if options.wants("registry_growth") {
		growth, err := store.growth(ctx)
		if err != nil {
			return nil, fmt.Errorf("measure registry_growth: %w", err)
		}
		table = append(table, measurement{Name: "registry_growth", Value: growth, Unit: "MiB", Runs: 1, aim: "< 0.95"})
	}
	if options.wants("builder_memory") {
		peaks, err := store.builderPeaks(ctx, options.runs)
		if err != nil {
			return nil, fmt.Errorf("measure builder_memory: %w", err)
		}
		table = append(table, summarizeFigures("builder_memory", "MiB", "< 64 MiB", peaks))
	}
	return table, nil
}

// store is the module's own registry, with the controller's client of it.
type store struct {
	directory string
	server    *httptest.Server
	client    *image.Registry
	// passed is how much time has passed for the registry.
	passed atomic.Int64
}

func openStore(ctx context.Context) (*store, error) {
	registry.LogTo(slog.New(slog.DiscardHandler))
	directory, err := os.MkdirTemp("", "bench-registry-")
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"username", "password"} {
		if err := os.WriteFile(filepath.Join(directory, key), []byte("bench"), 0o600); err != nil {
			return nil, err
		}
	}
	opened := &store{directory: directory}
	handler, err := registry.NewHandler(ctx, registry.Options{
		Storage: opened.images(), CredentialsDir: directory,
		Now: func() time.Time { return time.Now().Add(time.Duration(opened.passed.Load())) },
	})
	if err != nil {
		return nil, err
	}
	opened.server = httptest.NewServer(handler)
	opened.client, err = image.NewRegistry(image.Location{
		Push: opened.host(), Pull: opened.host(), Username: "bench", Password: "bench", PlainHTTP: true, Internal: true,
	})
	return opened, err
}

func (s *store) host() string   { return strings.TrimPrefix(s.server.URL, "http://") }
func (s *store) images() string { return filepath.Join(s.directory, "images") }

func (s *store) close() error {
	s.server.Close()
	return os.RemoveAll(s.directory)
}

// growth is by how many MiB the registry is larger after all edits of a
// Function and a collection than with its first image.
func (s *store) growth(ctx context.Context) (float64, error) {
	base, err := s.base(ctx)
	if err != nil {
		return 0, err
	}
	var first float64
	var digests []string
	for i := range edits + 1 {
		digest, err := s.edit(ctx, base, i)
		if err != nil {
			return 0, err
		}
		digests = append(digests, digest)
		if i == 0 {
			if first, err = size(s.images()); err != nil {
				return 0, err
			}
		}
	}
	s.passed.Add(int64(time.Hour))
	listing := collection.Listing{Images: []string{}}
	for _, digest := range digests[len(digests)-1-keptRevisions:] {
		listing.Images = append(listing.Images, repository.Function("bench", "edited")+"@"+digest)
	}
	result, err := s.client.Collect(ctx, listing)
	if err != nil {
		return 0, err
	}
	if result.Manifests != edits-keptRevisions {
		return 0, fmt.Errorf("%d images were collected, not %d", result.Manifests, edits-keptRevisions)
	}
	last, err := size(s.images())
	return last - first, err
}

// base publishes an image of some MB where releases are, and has it copied.
func (s *store) base(ctx context.Context) (image.Base, error) {
	releases := httptest.NewServer(openregistry.New(openregistry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	defer releases.Close()
	base, err := random.Image(10*mebibyte, 2)
	if err != nil {
		return image.Base{}, err
	}
	config, err := base.ConfigFile()
	if err != nil {
		return image.Base{}, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = image.Platform().OS, image.Platform().Architecture
	if base, err = mutate.ConfigFile(base, config); err != nil {
		return image.Base{}, err
	}
	reference, err := name.ParseReference(strings.TrimPrefix(releases.URL, "http://") + "/runtime:1")
	if err != nil {
		return image.Base{}, err
	}
	if err := remote.Write(reference, base, remote.WithContext(ctx)); err != nil {
		return image.Base{}, err
	}
	return (&image.Bases{}).Ensure(ctx, s.client, reference.String())
}

// edit has the Function's next image put together, of a source of 4 KB.
func (s *store) edit(ctx context.Context, base image.Base, number int) (string, error) {
	text := make([]byte, 4<<10)
	for i := range text {
		text[i] = byte('a' + rand.IntN(26))
	}
	source, err := image.FilesLayer("/function", map[string][]byte{"handler.js": text, "package.json": []byte("{}")})
	if err != nil {
		return "", err
	}
	return s.client.Assemble(ctx, repository.Function("bench", "edited"), image.Key(fmt.Sprint(number)), image.Parts{Base: base, Source: source})
}

// size of all files below a directory in MiB, in the blocks that they take.
func size(directory string) (float64, error) {
	var blocks int64
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat syscall.Stat_t
		if err := syscall.Lstat(path, &stat); err != nil {
			return err
		}
		blocks += stat.Blocks
		return nil
	})
	return float64(blocks) * 512 / mebibyte, err
}

// builderPeaks are what a builder takes at most that pushes a large tree, next
// to one that pushes a small tree.
func (s *store) builderPeaks(ctx context.Context, runs int) ([]figure, error) {
	builder := filepath.Join(s.directory, "builder")
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", builder, "./cmd/builder").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build builder: %w\n%s", err, output)
	}
	config := fmt.Sprintf(`{"auths": {%q: {"username": "bench", "password": "bench"}}}`, s.host())
	if err := os.WriteFile(filepath.Join(s.directory, "config.json"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	large, err := s.tree("large", largeTree)
	if err != nil {
		return nil, err
	}
	small, err := s.tree("small", smallTree)
	if err != nil {
		return nil, err
	}
	var peaks []figure
	for range runs {
		value, err := s.builderPeak(ctx, builder, large)
		if err != nil {
			return nil, err
		}
		baseline, err := s.builderPeak(ctx, builder, small)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "builder_memory  %.1f/%.1f\n", value, baseline)
		peaks = append(peaks, figure{value, baseline})
	}
	return peaks, nil
}

// tree is a directory of files of 1 MiB, none of which can be compressed.
func (s *store) tree(called string, bytes int) (string, error) {
	root := filepath.Join(s.directory, called)
	if err := os.MkdirAll(filepath.Join(root, "node_modules"), 0o755); err != nil {
		return "", err
	}
	for i := range bytes / mebibyte {
		file, err := os.Create(filepath.Join(root, "node_modules", fmt.Sprintf("%d.js", i)))
		if err != nil {
			return "", err
		}
		_, err = io.CopyN(file, rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}), mebibyte)
		if err := errors.Join(err, file.Close()); err != nil {
			return "", err
		}
	}
	return root, nil
}

// builderPeak is in MiB.
func (s *store) builderPeak(ctx context.Context, builder, root string) (float64, error) {
	command := exec.CommandContext(ctx, builder, "push", "--root="+root, "--entry=node_modules", "--directory=/function",
		"--to="+s.client.PushReference(repository.Dependencies("bench"), "layer"), "--plain-http")
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+s.directory)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("start builder: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	peak := 0.0
	for {
		select {
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("push: %w\n%s", err, &output)
			}
			return peak, nil
		case <-ticker.C:
			// What the system tells of an ended process is that of the one that
			// started it, if that took more.
			if now, err := peakMemory(command.Process.Pid); err == nil {
				peak = now
			}
		}
	}
}
