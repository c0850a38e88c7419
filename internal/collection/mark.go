package collection

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"kyma-project.io/serverless/internal/repository"
)

// contents is a repository as the collector found it.
type contents struct {
	name      string
	kind      repository.Kind
	manifests map[string]*manifest
	tags      map[string]string
	// kept are the manifests that stay.
	kept map[string]bool
}

func (c *Collector) contents(ctx context.Context, name string) (*contents, error) {
	found := &contents{name: name, kind: repository.KindOf(name), manifests: map[string]*manifest{}, kept: map[string]bool{}}
	revisions, err := c.storage.digests(ctx, manifestDir(name, ""))
	if err != nil {
		return nil, err
	}
	for _, digest := range revisions {
		if found.manifests[digest], err = c.storage.manifest(ctx, digest); err != nil {
			return nil, err
		}
	}
	found.tags, err = c.storage.tags(ctx, name)
	return found, err
}

// mark decides which manifests stay. Those of Functions do if they are
// referred to, or were used after the time; what others share does for longer,
// and as long as its layers are in use.
func (c *contents) mark(referred func(digest string) bool, usedSince func(digest string, since time.Time) bool, at cuts, inUse map[string]bool) {
	for digest, read := range c.manifests {
		switch c.kind {
		case repository.Functions:
			c.kept[digest] = referred(digest) || usedSince(digest, at.functions)
		case repository.Shared:
			c.kept[digest] = usedSince(digest, at.shared) || referred(digest) || consistsOf(read, inUse)
		default:
			c.kept[digest] = true
		}
	}
	c.keepAllRelated()
}

func (c *contents) keepAllRelated() {
	for c.keepRelated() {
	}
}

// indexesFirst are the manifests in an order in which no part comes before
// what it is a part of, as far as one level goes.
func (c *contents) indexesFirst() []string {
	isPart := func(digest string) int {
		if read := c.manifests[digest]; read != nil && len(read.manifests) > 0 {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(c.manifests), func(a, b string) int {
		return cmp.Or(cmp.Compare(isPart(a), isPart(b)), cmp.Compare(a, b))
	})
}

// consistsOf tells whether all layers are in use: then deleting the manifest
// would free nothing, and make the next build move or install them again.
func consistsOf(read *manifest, inUse map[string]bool) bool {
	if read == nil || len(read.content) < 2 {
		return false
	}
	// The last one is the configuration.
	for _, layer := range read.content[:len(read.content)-1] {
		if !inUse[layer] {
			return false
		}
	}
	return true
}

// keepRelated keeps the parts of kept indexes, and what says something about
// kept manifests. It tells whether it found any.
func (c *contents) keepRelated() bool {
	before := c.count()
	for digest, read := range c.manifests {
		if read == nil {
			continue
		}
		if c.kept[digest] {
			for _, part := range read.manifests {
				c.keep(part)
			}
		} else if c.kept[read.subject] {
			c.keep(digest)
		}
	}
	for tag, digest := range c.tags {
		// Without the referrers API, a tag names what is about a manifest.
		if hex, found := strings.CutPrefix(tag, algorithm+"-"); found && len(hex) >= 64 && c.kept[algorithm+":"+hex[:64]] {
			c.keep(digest)
		}
	}
	return c.count() > before
}

func (c *contents) keep(digest string) {
	if _, there := c.manifests[digest]; there {
		c.kept[digest] = true
	}
}

func (c *contents) count() int {
	number := 0
	for kept := range maps.Values(c.kept) {
		if kept {
			number++
		}
	}
	return number
}

// live adds what the kept manifests consist of.
func (c *contents) live(to map[string]bool) {
	for digest, kept := range c.kept {
		if !kept {
			continue
		}
		to[digest] = true
		if read := c.manifests[digest]; read != nil {
			for _, part := range read.content {
				to[part] = true
			}
		}
	}
}
