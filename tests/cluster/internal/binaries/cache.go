// Package binaries builds the programs of the node from source and keeps them.
package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Root is where built programs and pushed images are kept. All of it may be
// deleted while no cluster runs: it only saves time.
func Root() (string, error) {
	dir, err := os.UserCacheDir() // honours XDG_CACHE_HOME
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w: set XDG_CACHE_HOME", err)
	}
	return filepath.Join(dir, "serverless-cluster"), nil
}

// keyOf names a directory by everything that its content depends on.
func keyOf(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s", len(part), part) // the length, so that parts can't run together
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// cached returns the directory kind-key below root, which fill fills if it is
// not there. Others that want the same wait, and a directory is there only whole.
func cached(root, kind, key string, fill func(dir string) error) (string, error) {
	dir := filepath.Join(root, kind+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, kind+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("open lock: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock cache: %w", err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // somebody else made it meanwhile
	}
	unfinished, err := os.MkdirTemp(root, kind+"-unfinished-")
	if err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	defer os.RemoveAll(unfinished)
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return "", fmt.Errorf("open cache to all: %w", err)
	}
	if err := fill(unfinished); err != nil {
		return "", err
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return "", fmt.Errorf("keep %s: %w", dir, err)
	}
	return dir, nil
}
