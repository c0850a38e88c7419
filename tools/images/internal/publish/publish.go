// Package publish brings built images to where they are used from.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/tools/images/internal/image"
)

// Registry publishes to a registry, below a prefix HOST[:PORT][/PATH].
type Registry struct {
	prefix, tag string
	pusher      *remote.Pusher
}

// NewRegistry logs in by the Docker configuration. A registry on this machine
// or in a private network is spoken to over plain HTTP.
func NewRegistry(prefix, tag string) (*Registry, error) {
	_, err := name.NewTag(prefix + "/name:" + tag)
	if strings.Contains(prefix, "://") { // which would pass for a host with an empty port
		err = fmt.Errorf("%q is a URL", prefix)
	}
	if err != nil {
		return nil, fmt.Errorf("parse --registry and --tag: %w; give HOST[:PORT][/PATH] and a tag", err)
	}
	pusher, err := remote.NewPusher(remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithJobs(4))
	if err != nil {
		return nil, err
	}
	return &Registry{prefix: prefix, tag: tag, pusher: pusher}, nil
}

// Publish pushes what is not there yet and returns the reference without digest.
func (r *Registry) Publish(ctx context.Context, imageName string, what image.Pushable) (string, error) {
	ref, err := name.NewTag(r.prefix + "/" + imageName + ":" + r.tag)
	if err != nil {
		return "", err
	}
	if err := r.pusher.Push(ctx, ref, what); err != nil {
		return "", fmt.Errorf("push %s: %w; is the registry up, and are you logged in?", ref, err)
	}
	return ref.String(), nil
}

// Attach attaches the artifact to an image that is published.
func (r *Registry) Attach(ctx context.Context, imageName string, to image.Pushable, artifact referrer.Artifact) error {
	repository, err := name.NewRepository(r.prefix + "/" + imageName)
	if err != nil {
		return err
	}
	subject, err := referrer.Describe(to)
	if err != nil {
		return err
	}
	return referrer.Attach(ctx, r.pusher, repository, subject, artifact)
}

// Layout publishes to an OCI layout directory.
type Layout struct {
	tag  string
	path layout.Path
	// A layout has one index.json, which each image changes.
	mu sync.Mutex
}

// refName is the annotation by which tools find an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// NewLayout opens the layout in dir, and makes it if it is missing.
func NewLayout(dir, tag string) (*Layout, error) {
	_, err := os.Stat(filepath.Join(dir, "index.json"))
	if err == nil {
		path, err := layout.FromPath(dir)
		return &Layout{tag: tag, path: path}, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open layout: %w", err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return nil, fmt.Errorf("make layout: %w", err)
	}
	return &Layout{tag: tag, path: path}, nil
}

// Publish puts the image into the layout, in the place of one of the same name.
func (l *Layout) Publish(_ context.Context, imageName string, what image.Pushable) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ref := imageName + ":" + l.tag
	same := match.Annotation(refName, ref)
	named := layout.WithAnnotations(map[string]string{refName: ref})

	var err error
	switch what := what.(type) {
	case v1.ImageIndex:
		err = l.path.ReplaceIndex(what, same, named)
	case v1.Image:
		err = l.path.ReplaceImage(what, same, named)
	}
	if err != nil {
		return "", fmt.Errorf("write %s to layout: %w", ref, err)
	}
	return ref, nil
}
