package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// Where the distribution project keeps things: its layout is fixed, and read
// by tools of others, too.
const (
	root         = "/docker/registry/v2"
	repositories = root + "/repositories"
	blobs        = root + "/blobs"
	algorithm    = "sha256"
)

func repositoryDir(repo string) string { return path.Join(repositories, repo) }

func manifestDir(repo, digest string) string {
	return path.Join(repositories, repo, "_manifests/revisions", algorithm, hexOf(digest))
}

func layerDir(repo, digest string) string {
	return path.Join(repositories, repo, "_layers", algorithm, hexOf(digest))
}

func tagsDir(repo string) string { return path.Join(repositories, repo, "_manifests/tags") }

func blobDir(digest string) string {
	hex := hexOf(digest)
	return path.Join(blobs, algorithm, hex[:2], hex)
}

func hexOf(digest string) string { return strings.TrimPrefix(digest, algorithm+":") }

// isDigest tells whether the text is a digest, and so safe to make a path of.
func isDigest(text string) bool {
	hex, found := strings.CutPrefix(text, algorithm+":")
	return found && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// storage reads the layout, without that counting as a use.
type storage struct{ storagedriver.StorageDriver }

// list is the names in a directory, which may be missing.
func (s storage) list(ctx context.Context, dir string) ([]string, error) {
	entries, err := s.List(ctx, dir)
	if isMissing(err) {
		return nil, nil
	}
	for i := range entries {
		entries[i] = path.Base(entries[i])
	}
	return entries, err
}

// digests are what a directory has links to, or blobs of.
func (s storage) digests(ctx context.Context, dir string) ([]string, error) {
	names, err := s.list(ctx, dir)
	var found []string
	for _, name := range names {
		if digest := algorithm + ":" + name; isDigest(digest) {
			found = append(found, digest)
		}
	}
	return found, err
}

// isEmpty tells whether no file is below a directory, which may be missing.
func (s storage) isEmpty(ctx context.Context, dir string) (bool, error) {
	empty := true
	err := s.Walk(ctx, dir, func(found storagedriver.FileInfo) error {
		if found.IsDir() {
			return nil
		}
		empty = false
		return storagedriver.ErrFilledBuffer
	})
	if isMissing(err) {
		return true, nil
	}
	return empty, err
}

// repositories are the names of all, also of those below a path.
func (s storage) repositories(ctx context.Context, below string) ([]string, error) {
	names, err := s.list(ctx, path.Join(repositories, below))
	if err != nil {
		return nil, err
	}
	var found []string
	if slices.ContainsFunc(names, isPartOfRepository) {
		found = append(found, below)
	}
	for _, name := range names {
		if isPartOfRepository(name) {
			continue
		}
		nested, err := s.repositories(ctx, path.Join(below, name))
		if err != nil {
			return nil, err
		}
		found = append(found, nested...)
	}
	return found, nil
}

// isPartOfRepository tells a repository's own directory from one below its path.
func isPartOfRepository(name string) bool { return strings.HasPrefix(name, "_") }

// tags are the digests that the repository's tags name.
func (s storage) tags(ctx context.Context, repo string) (map[string]string, error) {
	names, err := s.list(ctx, tagsDir(repo))
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, name := range names {
		digest, err := s.GetContent(ctx, tagLink(repo, name))
		if err != nil && !isMissing(err) {
			return nil, err
		}
		tags[name] = string(digest)
	}
	return tags, nil
}

func tagLink(repo, tag string) string { return path.Join(tagsDir(repo), tag, "current/link") }

// manifest is what a manifest or an index refers to.
type manifest struct {
	// content are blobs, manifests the parts of an index.
	content, manifests []string
	// subject is what it says something about, or "".
	subject string
}

// manifest reads one. It is nil if its content is missing or can't be understood.
func (s storage) manifest(ctx context.Context, digest string) (*manifest, error) {
	text, err := s.GetContent(ctx, path.Join(blobDir(digest), "data"))
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", digest, err)
	}
	type descriptor struct {
		Digest string `json:"digest"`
	}
	var parsed struct {
		Config    descriptor   `json:"config"`
		Layers    []descriptor `json:"layers"`
		Manifests []descriptor `json:"manifests"`
		Subject   descriptor   `json:"subject"`
	}
	if json.Unmarshal(text, &parsed) != nil {
		return nil, nil
	}
	read := &manifest{subject: parsed.Subject.Digest}
	for _, part := range append(parsed.Layers, parsed.Config) {
		if isDigest(part.Digest) {
			read.content = append(read.content, part.Digest)
		}
	}
	for _, part := range parsed.Manifests {
		if isDigest(part.Digest) {
			read.manifests = append(read.manifests, part.Digest)
		}
	}
	return read, nil
}

func isMissing(err error) bool {
	var missing storagedriver.PathNotFoundError
	return errors.As(err, &missing)
}
