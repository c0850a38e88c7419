package collection

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"kyma-project.io/serverless/internal/repository"
)

// Path is where the module posts a Listing to the registry, and gets a Result.
const Path = "/serverless/collection"

// SharedRetention is how long what Functions share stays after its last use.
const SharedRetention = 24 * time.Hour

// Listing is what is referred to in the cluster.
type Listing struct {
	// Images are repository@digest.
	Images []string `json:"images"`
	// Age is the time since the listing began.
	Age time.Duration `json:"age"`
	// Grace is the longest time from a use of an image to the reference to it
	// that the use was for.
	Grace time.Duration `json:"grace"`
}

// Result is what a collection deleted.
type Result struct {
	Manifests int   `json:"manifests"`
	Layers    int   `json:"layers"`
	Blobs     int   `json:"blobs"`
	Bytes     int64 `json:"bytes"`
	// Low says that the volume has little room: it is worth collecting again soon.
	Low bool `json:"low,omitempty"`
}

// IsEmpty tells whether nothing was deleted.
func (r Result) IsEmpty() bool { return r == Result{Low: r.Low} }

// ErrBusy says that a collection is under way already.
var ErrBusy = errors.New("a collection is under way; try again later")

// Collector deletes what nothing refers to.
type Collector struct {
	driver  *Driver
	storage storage
	running sync.Mutex
}

// NewCollector collects in the storage of the driver.
func NewCollector(driver *Driver) *Collector {
	return &Collector{driver: driver, storage: storage{driver.StorageDriver}}
}

// cuts are the times after which something must have been used to stay.
type cuts struct{ functions, shared time.Time }

// Collect deletes manifests that the listing doesn't have, then links to
// layers and blobs that no manifest has. What was used later than the grace
// before the listing stays. A collection that is broken off leaves no image
// which is there in part: the next one goes on.
func (c *Collector) Collect(ctx context.Context, listing Listing) (Result, error) {
	if !c.running.TryLock() {
		return Result{}, ErrBusy
	}
	defer c.running.Unlock()
	now := c.driver.now()
	at := cuts{functions: now.Add(-listing.Age - listing.Grace)}
	at.shared = at.functions
	if longer := now.Add(-SharedRetention); longer.Before(at.shared) {
		at.shared = longer
	}
	if c.driver.lastUse("").After(at.functions) {
		// All counts as used since.
		return Result{}, nil
	}
	var result Result
	found, err := c.mark(ctx, listing, at)
	if err != nil {
		return result, fmt.Errorf("look for what is in use: %w", err)
	}
	if err := c.sweep(ctx, found, at, &result); err != nil {
		return result, fmt.Errorf("delete what is not in use: %w", err)
	}
	c.driver.forget(at.shared)
	return result, nil
}

func (c *Collector) mark(ctx context.Context, listing Listing, at cuts) ([]*contents, error) {
	names, err := c.storage.repositories(ctx, "")
	if err != nil {
		return nil, err
	}
	referred := make(map[string]bool, len(listing.Images))
	for _, image := range listing.Images {
		referred[image] = true
	}
	var functions, shared []*contents
	inUse := map[string]bool{}
	for _, name := range names {
		one, err := c.contents(ctx, name)
		if err != nil {
			return nil, err
		}
		if one.kind == repository.Shared {
			shared = append(shared, one)
			continue
		}
		functions = append(functions, one)
		c.markOne(one, referred, at, nil)
		one.live(inUse)
	}
	for _, one := range shared {
		c.markOne(one, referred, at, inUse)
	}
	return append(functions, shared...), nil
}

func (c *Collector) markOne(one *contents, referred map[string]bool, at cuts, inUse map[string]bool) {
	one.mark(
		func(digest string) bool { return referred[one.name+"@"+digest] },
		func(digest string, since time.Time) bool {
			return c.driver.lastUse(manifestDir(one.name, digest)).After(since)
		}, at, inUse)
}

// sweep goes from what refers to what is referred to.
func (c *Collector) sweep(ctx context.Context, found []*contents, at cuts, result *Result) error {
	for _, one := range found {
		if err := c.sweepManifests(ctx, one, at, result); err != nil {
			return err
		}
	}
	live := map[string]bool{}
	for _, one := range found {
		one.live(live)
	}
	for _, one := range found {
		if err := c.sweepLayers(ctx, one, at, live, result); err != nil {
			return err
		}
	}
	if err := c.sweepBlobs(ctx, at, live, result); err != nil {
		return err
	}
	for _, one := range found {
		if err := c.sweepEmpty(ctx, one, at); err != nil {
			return fmt.Errorf("delete what is left of repository %s: %w", one.name, err)
		}
	}
	return nil
}

// sweepEmpty deletes the directory of a repository in which nothing is left,
// and to which nothing is being uploaded.
func (c *Collector) sweepEmpty(ctx context.Context, one *contents, at cuts) error {
	if one.kind == repository.Unknown {
		return nil
	}
	dir := repositoryDir(one.name)
	_, err := c.driver.deleteUnlessUsed(dir, at.functions, func() error {
		if empty, err := c.storage.isEmpty(ctx, dir); !empty || err != nil {
			return err
		}
		return c.delete(ctx, dir)
	})
	return err
}

func (c *Collector) sweepManifests(ctx context.Context, one *contents, at cuts, result *Result) error {
	since := at.functions
	if one.kind == repository.Shared {
		since = at.shared
	}
	for _, digest := range one.indexesFirst() {
		if one.kept[digest] {
			continue
		}
		dir := manifestDir(one.name, digest)
		deleted, err := c.driver.deleteUnlessUsed(dir, since, func() error { return c.deleteManifest(ctx, one, digest) })
		if err != nil {
			return fmt.Errorf("delete image %s@%s: %w", one.name, digest, err)
		}
		if deleted {
			result.Manifests++
		} else {
			// Somebody asked for it meanwhile, and may ask for its parts next.
			one.keep(digest)
			one.keepAllRelated()
		}
	}
	return nil
}

// deleteManifest deletes the tags first: none may name what isn't there.
func (c *Collector) deleteManifest(ctx context.Context, one *contents, digest string) error {
	for tag, named := range one.tags {
		index := path.Join(tagsDir(one.name), tag, "index", algorithm, hexOf(digest))
		if err := c.delete(ctx, index); err != nil {
			return err
		}
		if named != digest {
			continue
		}
		current, err := c.storage.GetContent(ctx, tagLink(one.name, tag))
		if err != nil && !isMissing(err) {
			return err
		}
		if err == nil && string(current) != digest {
			continue
		}
		if err := c.delete(ctx, path.Join(tagsDir(one.name), tag)); err != nil {
			return err
		}
	}
	return c.delete(ctx, manifestDir(one.name, digest))
}

// sweepLayers deletes a repository's links, and counts those that stay as uses
// of the blobs.
func (c *Collector) sweepLayers(ctx context.Context, one *contents, at cuts, live map[string]bool, result *Result) error {
	needed := map[string]bool{}
	one.live(needed)
	links, err := c.storage.digests(ctx, layerDir(one.name, ""))
	if err != nil {
		return err
	}
	for _, digest := range links {
		if needed[digest] || one.kind == repository.Unknown {
			live[digest] = true
			continue
		}
		dir := layerDir(one.name, digest)
		deleted, err := c.driver.deleteUnlessUsed(dir, at.functions, func() error { return c.delete(ctx, dir) })
		if err != nil {
			return fmt.Errorf("delete link to layer %s of %s: %w", digest, one.name, err)
		}
		if deleted {
			result.Layers++
		} else {
			live[digest] = true
		}
	}
	return nil
}

func (c *Collector) sweepBlobs(ctx context.Context, at cuts, live map[string]bool, result *Result) error {
	prefixes, err := c.storage.list(ctx, path.Join(blobs, algorithm))
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		found, err := c.storage.digests(ctx, path.Join(blobs, algorithm, prefix))
		if err != nil {
			return err
		}
		for _, digest := range found {
			if live[digest] {
				continue
			}
			if err := c.sweepBlob(ctx, digest, at, result); err != nil {
				return fmt.Errorf("delete blob %s: %w", digest, err)
			}
		}
	}
	return nil
}

func (c *Collector) sweepBlob(ctx context.Context, digest string, at cuts, result *Result) error {
	dir := blobDir(digest)
	var size int64
	deleted, err := c.driver.deleteUnlessUsed(dir, at.functions, func() error {
		if info, err := c.storage.Stat(ctx, path.Join(dir, "data")); err == nil {
			size = info.Size()
		}
		if err := c.delete(ctx, dir); err != nil {
			return err
		}
		// On a disk, each of these takes a block.
		if empty, err := c.storage.isEmpty(ctx, path.Dir(dir)); !empty || err != nil {
			return err
		}
		return c.delete(ctx, path.Dir(dir))
	})
	if deleted && err == nil {
		result.Blobs++
		result.Bytes += size
	}
	return err
}

// delete removes a directory, which may be missing.
func (c *Collector) delete(ctx context.Context, dir string) error {
	if err := c.storage.Delete(ctx, dir); err != nil && !isMissing(err) {
		return err
	}
	return nil
}
