package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// MaxLock bounds a lock file; those of large applications have 2 or 3 MiB.
const MaxLock = 10 << 20

// Lock is a file beside the dependencies file that fixes which packages are
// installed. The zero value is none.
type Lock struct {
	// File is its name.
	File string
	// Digest is of what has an influence on what is installed.
	Digest string
}

// LockOf returns the lock of a file's text.
func LockOf(file string, text []byte) Lock {
	sum := sha256.Sum256(CanonicalLock(text))
	return Lock{File: file, Digest: hex.EncodeToString(sum[:])}
}

// String is how a published source is labelled with its lock.
func (l Lock) String() string {
	if l.File == "" {
		return ""
	}
	return l.File + " " + l.Digest
}

// parseLock reads what String wrote.
func parseLock(text string) (Lock, error) {
	if text == "" {
		return Lock{}, nil
	}
	file, digest, found := strings.Cut(text, " ")
	if !found || file == "" || digest == "" {
		return Lock{}, fmt.Errorf("read lock %q of the published source", text)
	}
	return Lock{File: file, Digest: digest}, nil
}

// CanonicalLock is npm's lock file without the name and version of the package
// itself, which each release changes. npm is given this form, and leaves a copy
// in what it installed. What isn't JSON is npm's to refuse.
func CanonicalLock(text []byte) []byte {
	var lock map[string]any
	if err := json.Unmarshal(text, &lock); err != nil {
		return text
	}
	delete(lock, "name")
	delete(lock, "version")
	if packages, isObject := lock["packages"].(map[string]any); isObject {
		if root, isObject := packages[""].(map[string]any); isObject {
			delete(root, "name")
			delete(root, "version")
		}
	}
	canonical, err := json.Marshal(lock)
	if err != nil {
		return text
	}
	return canonical
}
