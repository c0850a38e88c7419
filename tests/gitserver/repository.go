// Package gitserver is a real Git server for tests: git's own programs behind
// HTTP and SSH.
package gitserver

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Repository is a bare repository on the server.
type Repository struct {
	// Name is its path on the server.
	Name      string
	directory string
}

// File is an entry of a commit.
type File struct {
	// Mode as Git has it: 100644, 100755, 120000 (a link to Content) or
	// 160000 (a submodule at the commit Content). Empty for 100644.
	Mode, Content string
}

// Files are those of a commit, by their path; plain text becomes plain files.
func Files(content map[string]string) map[string]File {
	files := map[string]File{}
	for path, text := range content {
		files[path] = File{Content: text}
	}
	return files
}

// Create makes an empty repository below the root.
func Create(root, name string) (*Repository, error) {
	repository := &Repository{Name: name, directory: filepath.Join(root, name)}
	if err := os.MkdirAll(repository.directory, 0o755); err != nil {
		return nil, err
	}
	_, err := repository.git("", "init", "--quiet", "--bare", "--initial-branch=main")
	return repository, err
}

// Commit puts the files, and no others, on the branch and returns the commit's id.
func (r *Repository) Commit(branch string, files map[string]File) (string, error) {
	var stream strings.Builder
	reference := "refs/heads/" + branch
	fmt.Fprintf(&stream, "commit %s\ncommitter Test <test@example.com> %d +0000\ndata 4\ntest\n", reference, time.Now().Unix())
	if _, err := r.git("", "rev-parse", "--quiet", "--verify", reference); err == nil {
		fmt.Fprintf(&stream, "from %s^0\n", reference)
	}
	stream.WriteString("deleteall\n")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		file := files[path]
		switch {
		case file.Mode == "160000":
			fmt.Fprintf(&stream, "M 160000 %s %s\n", file.Content, path)
		case file.Mode == "":
			fmt.Fprintf(&stream, "M 100644 inline %s\ndata %d\n%s\n", path, len(file.Content), file.Content)
		default:
			fmt.Fprintf(&stream, "M %s inline %s\ndata %d\n%s\n", file.Mode, path, len(file.Content), file.Content)
		}
	}
	if _, err := r.git(stream.String(), "fast-import", "--quiet"); err != nil {
		return "", err
	}
	return r.git("", "rev-parse", reference)
}

// Object stores a blob of the text, or a tree of lines as `git ls-tree` has
// them, and returns its id.
func (r *Repository) Object(kind, text string) (string, error) {
	if kind == "tree" {
		return r.git(text, "mktree")
	}
	return r.git(text, "hash-object", "-w", "--stdin", "-t", kind)
}

// CommitTree puts the tree on the branch and returns the commit's id.
func (r *Repository) CommitTree(branch, tree string) (string, error) {
	commit, err := r.git("", "commit-tree", "-m", "test", tree)
	if err != nil {
		return "", err
	}
	_, err = r.git("", "update-ref", "refs/heads/"+branch, commit)
	return commit, err
}

// Tag names the commit; with a message it is an annotated tag.
func (r *Repository) Tag(name, commit, message string) error {
	args := []string{"tag", name, commit}
	if message != "" {
		args = []string{"tag", "--annotate", "--message", message, name, commit}
	}
	_, err := r.git("", args...)
	return err
}

// Configure sets an option of the repository.
func (r *Repository) Configure(key, value string) error {
	_, err := r.git("", "config", key, value)
	return err
}

func (r *Repository) git(input string, args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = r.directory
	command.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.com", "GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.com")
	command.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(output)), nil
}
