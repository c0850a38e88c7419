package source

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"kyma-project.io/serverless/internal/runtime"
)

// Revision is a directory in a commit of a Git repository.
type Revision struct {
	// URL of the repository, Commit in full, and BaseDir as an absolute path.
	URL, Commit, BaseDir string
	// Content is the digest of the files; empty before they were fetched.
	Content string
}

// digest is that of the content: a commit that changes other directories
// gives the same image. Before the files were fetched it is the place.
func (r *Revision) digest() string {
	hash := sha256.New()
	parts := []string{"content", r.Content}
	if r.Content == "" {
		parts = []string{"revision", r.URL, r.Commit, r.BaseDir}
	}
	for _, part := range parts {
		fmt.Fprintf(hash, "%d %s ", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Git returns the source of a revision that was not fetched yet.
func Git(revision Revision) Source { return Source{Revision: &revision} }

// Fetched returns the source with what was found in the commit: the digest of
// the files, the text of the dependencies file, and its lock as a label has it.
func (s Source) Fetched(content, dependencies, lock string, rt runtime.Runtime) (Source, error) {
	manifest, err := manifestOf(dependencies, rt)
	if err != nil {
		return Source{}, fmt.Errorf("%w; correct %s in directory %s of the repository", err, rt.DependenciesFile, s.Revision.BaseDir)
	}
	fetched := Source{Dependencies: manifest}
	if len(manifest) > 0 {
		if fetched.Lock, err = parseLock(lock); err != nil {
			return Source{}, err
		}
	}
	revision := *s.Revision
	revision.Content = content
	fetched.Revision = &revision
	return fetched, nil
}
