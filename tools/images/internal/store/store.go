// Package store keeps what was built, downloaded or compiled, by the digest of
// what it was made from, so that nothing is made twice on a machine.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// locks is the kind of entry that is not content.
const locks = "locks"

// Store is a directory of entries. Several processes can use it at once.
type Store struct{ dir string }

// Open returns the user's store, and makes it if it is missing.
func Open() (*Store, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the cache directory: %w; set HOME or XDG_CACHE_HOME", err)
	}
	return OpenDir(filepath.Join(cache, "serverless-images"))
}

// OpenDir returns the store in dir, and makes it if it is missing.
func OpenDir(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open image cache: %w; set XDG_CACHE_HOME to a directory that can be written", err)
	}
	return &Store{dir: dir}, nil
}

// Key is the digest of parts: equal parts have an equal key. The parts cannot
// run into each other.
func Key(parts ...string) string {
	digest := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(digest, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// Entry returns the path of the entry kind/key. If it isn't there, make makes
// it, a file or a directory, at the path it is given; the entry appears whole
// or not at all.
func (s *Store) Entry(ctx context.Context, kind, key string, make func(path string) error) (string, error) {
	path, err := s.Fresh(ctx, kind, key, time.Time{}, make)
	if err != nil {
		return "", err
	}
	return path, touch(path)
}

// Fresh is Entry for what goes out of date: an entry made before since is made
// again.
func (s *Store) Fresh(ctx context.Context, kind, key string, since time.Time, make func(path string) error) (string, error) {
	path := filepath.Join(s.dir, kind, key)
	if usable(path, since) {
		return path, nil
	}
	unlock, err := s.Lock(ctx, kind+"-"+key)
	if err != nil {
		return "", err
	}
	defer unlock()
	if usable(path, since) { // made by another process while we waited
		return path, nil
	}

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make cache entry: %w", err)
	}
	making := path + ".making"
	// What a process that was killed left here is of no use.
	if err := errors.Join(os.RemoveAll(making), make(making)); err != nil {
		return "", errors.Join(err, os.RemoveAll(making))
	}
	if err := errors.Join(os.RemoveAll(path), os.Rename(making, path)); err != nil {
		return "", fmt.Errorf("make cache entry: %w", err)
	}
	return path, nil
}

// Dir returns a directory that lasts, for tools with a cache of their own.
func (s *Store) Dir(kind, key string) (string, error) {
	dir := filepath.Join(s.dir, kind, key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make cache directory: %w", err)
	}
	return dir, touch(dir)
}

// Prune removes what was last used before the given time. Each build of a
// program leaves a layer of some megabytes, which the next build replaces.
func (s *Store) Prune(before time.Time) error {
	entries, err := filepath.Glob(filepath.Join(s.dir, "*", "*"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		// A lock that is removed while it is held is none.
		if filepath.Dir(entry) == filepath.Join(s.dir, locks) || usable(entry, before) {
			continue
		}
		if err := os.RemoveAll(entry); err != nil {
			return fmt.Errorf("prune image cache: %w", err)
		}
	}
	return nil
}

// Lock waits until no other process or goroutine holds the lock called name.
// The kernel gives it up with the process, so none is ever left behind.
func (s *Store) Lock(ctx context.Context, name string) (unlock func(), err error) {
	dir, err := s.Dir(locks, "")
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, Key(name)), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock image cache: %w", err)
	}

	locked := make(chan error, 1)
	go func() { locked <- unix.Flock(int(file.Fd()), unix.LOCK_EX) }()
	select {
	case err := <-locked:
		if err != nil {
			return nil, fmt.Errorf("lock image cache: %w", errors.Join(err, file.Close()))
		}
		return func() { _ = file.Close() }, nil
	case <-ctx.Done():
		// The file is closed when the lock comes, or with the process.
		go func() { <-locked; _ = file.Close() }()
		return nil, fmt.Errorf("lock image cache: %w", ctx.Err())
	}
}

// touch notes that an entry is in use.
func touch(path string) error {
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return fmt.Errorf("use cache entry: %w", err)
	}
	return nil
}

func usable(path string, since time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.ModTime().After(since)
}
