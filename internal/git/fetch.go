package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Limits bound what a Function's source may be.
type Limits struct {
	// Transfer is how many bytes the server may send, Time how long that may take.
	Transfer int64
	Time     time.Duration
	// Files and Bytes are what the directory of the Function may hold.
	Files int
	Bytes int64
}

// DefaultLimits are enough for code; they keep a Job within the memory and
// the disk of its profile.
var DefaultLimits = Limits{Transfer: 256 << 20, Time: 5 * time.Minute, Files: 10_000, Bytes: 100 << 20}

// Checkout is which files to fetch.
type Checkout struct {
	// Commit is a full id.
	Commit string
	// BaseDir is the directory of the repository to take.
	BaseDir string
	Limits
}

// largeObject and more is read from disk in pieces, and is not kept in memory.
const largeObject = 1 << 20

// Fetch writes the files of the commit's directory to the target directory.
// Only the commit itself is fetched if the server allows that. Work is an
// empty directory for the objects: nothing but indexes is held in memory. The
// time is that of the commit.
func Fetch(ctx context.Context, remote Remote, checkout Checkout, work, target string) (committed time.Time, err error) {
	begin, err := parseBaseDir(checkout.BaseDir)
	if err != nil {
		return time.Time{}, err
	}
	objects := filesystem.NewStorageWithOptions(osfs.New(work), cache.NewObjectLRU(16*cache.MiByte),
		filesystem.Options{LargeObjectThreshold: largeObject})
	defer objects.Close()
	limits := bounds{time: checkout.Time, bytes: checkout.Transfer}
	ctx, cancel := limits.withTimeout(ctx)
	defer cancel()
	commit, err := fetchCommit(ctx, remote, store{objects, work}, plumbing.NewHash(checkout.Commit), limits)
	if err != nil {
		return time.Time{}, err
	}
	tree, err := commit.Tree()
	if err == nil && begin != "" {
		tree, err = tree.Tree(begin)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("commit %s has no directory %s; correct spec.source.gitRepository.baseDir", checkout.Commit, checkout.BaseDir)
	}
	return commit.Committer.When, writeFiles(tree, target, checkout.Limits)
}

// parseBaseDir returns the directory as Git names it; "" is the root.
func parseBaseDir(text string) (string, error) {
	// Users write /, . and ./dir, too.
	for _, element := range strings.Split(text, "/") {
		if element == ".." {
			return "", fmt.Errorf("baseDir %s leaves the repository; name a directory within it", text)
		}
	}
	return strings.TrimPrefix(path.Clean("/"+text), "/"), nil
}

// BaseDir is the directory in a form that is equal for equal directories.
func BaseDir(text string) string { return path.Clean("/" + text) }

// store has objects, in a directory.
type store struct {
	*filesystem.Storage
	directory string
}

func fetchCommit(ctx context.Context, remote Remote, objects store, hash plumbing.Hash, limits bounds) (*object.Commit, error) {
	err := download(ctx, remote, objects, limits, func(*packp.AdvRefs) ([]plumbing.Hash, bool) { return []plumbing.Hash{hash}, true })
	var refused *refusedError
	if errors.As(err, &refused) {
		// A server may give out only what its references name: the history of
		// all of them has the commit, if anything has.
		err = download(ctx, remote, objects, limits, func(advertised *packp.AdvRefs) ([]plumbing.Hash, bool) {
			return tips(advertised), false
		})
	}
	if err != nil {
		return nil, explain(remote, err)
	}
	commit, err := object.GetCommit(objects.Storage, hash)
	if err != nil {
		return nil, &NotFoundError{What: fmt.Sprintf("commit %s of repository %s", hash, remote.Address())}
	}
	return commit, nil
}

func tips(advertised *packp.AdvRefs) []plumbing.Hash {
	seen := map[plumbing.Hash]bool{}
	var all []plumbing.Hash
	for name, hash := range advertised.References {
		reference := plumbing.ReferenceName(name)
		if (reference.IsBranch() || reference.IsTag()) && !seen[hash] {
			seen[hash] = true
			all = append(all, hash)
		}
	}
	return all
}

// refusedError says that the server doesn't give out what was asked for.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

// download stores what the server sends for the wanted objects; the choice
// tells which those are, and whether they are wanted without their history.
func download(ctx context.Context, remote Remote, objects store, limits bounds, choose func(*packp.AdvRefs) ([]plumbing.Hash, bool)) error {
	session, _, err := remote.open(limits)
	if err != nil {
		return err
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return err
	}
	request, err := wish(advertised, choose)
	if err != nil {
		return err
	}
	answer, err := session.UploadPack(ctx, request)
	if err != nil {
		return refusal(err)
	}
	defer answer.Close()
	if len(answer.Shallows) > 0 {
		if err := objects.SetShallow(answer.Shallows); err != nil {
			return fmt.Errorf("store objects: %w", err)
		}
	}
	content := &boundedReader{Reader: demultiplexed(request, answer), left: limits.bytes, limit: limits.bytes}
	pack, err := storedPack(content, objects.directory)
	if content.left < 0 {
		// The library may say what it made of the end instead.
		_, err = content.Read(make([]byte, 1))
	}
	if err != nil {
		return refusal(err)
	}
	defer pack.Close()
	if err := packfile.UpdateObjectStorage(objects.Storage, pack); err != nil {
		return fmt.Errorf("read the objects that the server sent: %w", err)
	}
	return nil
}

func wish(advertised *packp.AdvRefs, choose func(*packp.AdvRefs) ([]plumbing.Hash, bool)) (*packp.UploadPackRequest, error) {
	request := packp.NewUploadPackRequestFromCapabilities(advertised.Capabilities)
	wants, shallow := choose(advertised)
	request.Wants = wants
	if len(wants) == 0 {
		return nil, transport.ErrEmptyRemoteRepository
	}
	wished := []capability.Capability{capability.NoProgress}
	if shallow && advertised.Capabilities.Supports(capability.Shallow) {
		request.Depth = packp.DepthCommits(1)
		wished = append(wished, capability.Shallow)
	}
	for _, one := range wished {
		if !advertised.Capabilities.Supports(one) {
			continue
		}
		if err := request.Capabilities.Set(one); err != nil {
			return nil, fmt.Errorf("ask for %s: %w", one, err)
		}
	}
	return request, nil
}

// refusal marks the errors with which servers answer a wish for an object
// that no reference names. Some say so, some just end.
func refusal(err error) error {
	var limit *LimitError
	if errors.As(err, &limit) || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return err
	}
	return &refusedError{err}
}

func demultiplexed(request *packp.UploadPackRequest, content io.Reader) io.Reader {
	switch {
	case request.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, content)
	case request.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, content)
	}
	return content
}
