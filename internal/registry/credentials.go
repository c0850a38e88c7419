package registry

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"kyma-project.io/serverless/internal/access"
)

const (
	usernameFile = "username"
	passwordFile = "password"
)

// Credentials are the module's own, as a mounted Secret gives them: a
// directory with the files username and password. A change of the files is
// picked up by the next request, so a rotated Secret needs no restart.
type Credentials struct {
	dir string

	mu   sync.Mutex
	seen [2]os.FileInfo
	last access.Credentials
}

// LoadCredentials reads the credentials in dir and fails if they are not there.
func LoadCredentials(dir string) (*Credentials, error) {
	c := &Credentials{dir: dir}
	if err := c.reload(); err != nil {
		return nil, fmt.Errorf("load registry credentials: %w; mount the Secret with the keys %s and %s there",
			err, usernameFile, passwordFile)
	}
	return c, nil
}

// Current returns the credentials. If the files cannot be read just now, the
// last ones that could be read stay valid.
func (c *Credentials) Current() access.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The error is dropped on purpose: a Secret that is being replaced must
	// not lock everybody out, and the next request tries again.
	_ = c.reload()
	return c.last
}

func (c *Credentials) reload() error {
	var now [2]os.FileInfo
	for i, name := range []string{usernameFile, passwordFile} {
		info, err := os.Stat(filepath.Join(c.dir, name))
		if err != nil {
			return err
		}
		now[i] = info
	}
	if sameFile(now[0], c.seen[0]) && sameFile(now[1], c.seen[1]) {
		return nil
	}

	username, err := readSecret(filepath.Join(c.dir, usernameFile))
	if err != nil {
		return err
	}
	password, err := readSecret(filepath.Join(c.dir, passwordFile))
	if err != nil {
		return err
	}
	c.seen, c.last = now, access.Credentials{Username: string(username), Password: string(password)}
	return nil
}

// sameFile tells whether a file is unchanged since it was last seen, if it was.
// The kubelet replaces the directory behind a Secret's files, so a new version
// is another file, even if it was written in the same tick of the clock.
func sameFile(now, seen os.FileInfo) bool {
	return seen != nil && os.SameFile(now, seen) && now.ModTime().Equal(seen.ModTime())
}

// readSecret returns a file's content without the line end an editor leaves.
// An empty secret is refused: it would let anybody in.
func readSecret(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimRight(content, "\r\n")
	if len(content) == 0 {
		return nil, fmt.Errorf("read %s: the file is empty", path)
	}
	return content, nil
}
