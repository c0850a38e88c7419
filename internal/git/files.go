package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// lfsPointer is the begin of a file which stands for one in Git LFS.
var lfsPointer = []byte("version https://git-lfs.github.com/spec/")

// writer writes a tree to a directory, and to nowhere else: os.Root follows
// no link out of it.
type writer struct {
	root  *os.Root
	limit Limits
	files int
	bytes int64
	links []string
}

func writeFiles(tree *object.Tree, target string, limits Limits) error {
	root, err := os.OpenRoot(target)
	if err != nil {
		return fmt.Errorf("open directory for the source: %w", err)
	}
	defer root.Close()
	w := &writer{root: root, limit: limits}
	if err := w.tree(tree, ""); err != nil {
		return err
	}
	return w.checkLinks()
}

func (w *writer) tree(tree *object.Tree, directory string) error {
	for i := range tree.Entries {
		entry := &tree.Entries[i]
		// The server made the names, which no Git client has checked.
		if entry.Name == "" || entry.Name == "." || entry.Name == ".." || strings.ContainsAny(entry.Name, "/\x00") {
			return fmt.Errorf("the commit has an entry with the name %q in directory %q, which is none for a file; remove it", entry.Name, directory)
		}
		name := path.Join(directory, entry.Name)
		if len(name) > maxPath {
			return &LimitError{fmt.Sprintf("the path %s… is longer than the %d bytes that an image can hold; use a shorter one", name[:60], maxPath)}
		}
		if w.files++; w.files > w.limit.Files {
			return &LimitError{fmt.Sprintf("baseDir holds more than %d files and directories, which is the limit; choose a smaller directory", w.limit.Files)}
		}
		if err := w.entry(tree, entry, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) entry(tree *object.Tree, entry *object.TreeEntry, name string) error {
	switch entry.Mode {
	case filemode.Dir:
		below, err := tree.Tree(entry.Name)
		if err != nil {
			return fmt.Errorf("read directory %s of the commit: %w", name, err)
		}
		if err := w.root.Mkdir(name, 0o755); err != nil {
			return fmt.Errorf("write directory %s: %w", name, err)
		}
		return w.tree(below, name)
	case filemode.Submodule:
		return fmt.Errorf("%s is a submodule, which is not fetched; "+
			"put its files into the repository, or declare it as a dependency", name)
	}
	file, err := tree.TreeEntryFile(entry)
	if err != nil {
		return fmt.Errorf("read %s of the commit: %w", name, err)
	}
	if w.bytes += file.Size; w.bytes > w.limit.Bytes {
		return &LimitError{fmt.Sprintf("baseDir holds more than %d MiB, which is the limit; choose a smaller directory", w.limit.Bytes>>20)}
	}
	content, err := file.Reader()
	if err != nil {
		return fmt.Errorf("read %s of the commit: %w", name, err)
	}
	defer content.Close()
	if entry.Mode == filemode.Symlink {
		return w.link(name, content)
	}
	return w.file(name, content, file.Size, entry.Mode == filemode.Executable)
}

func (w *writer) file(name string, content io.Reader, size int64, executable bool) error {
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	start := make([]byte, min(size, int64(len(lfsPointer))))
	if _, err := io.ReadFull(content, start); err != nil {
		return fmt.Errorf("read %s of the commit: %w", name, err)
	}
	if bytes.Equal(start, lfsPointer) {
		return fmt.Errorf("%s is stored in Git LFS, which is not fetched; put the file itself into the repository", name)
	}
	file, err := w.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = io.Copy(file, io.MultiReader(bytes.NewReader(start), io.LimitReader(content, size)))
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// maxPath leaves room in Linux's 4,095 bytes for where the files go in the image.
const maxPath = 4000

// maxLink is what Linux takes as the target of a symbolic link.
const maxLink = 4095

func (w *writer) link(name string, content io.Reader) error {
	target, err := io.ReadAll(io.LimitReader(content, maxLink))
	if err != nil {
		return fmt.Errorf("read %s of the commit: %w", name, err)
	}
	if path.IsAbs(string(target)) {
		return leaves(name, string(target))
	}
	if err := w.root.Symlink(string(target), name); err != nil {
		return fmt.Errorf("write symbolic link %s: %w", name, err)
	}
	w.links = append(w.links, name)
	return nil
}

// checkLinks refuses links which lead out of the directory, once all are
// there: one may lead on to another.
func (w *writer) checkLinks() error {
	for _, name := range w.links {
		target, err := w.root.Readlink(name)
		if err != nil {
			return fmt.Errorf("read symbolic link %s: %w", name, err)
		}
		_, err = w.root.Stat(name)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist) && inside(path.Join(path.Dir(name), target)):
			// What it leads to may be made by the Function or its dependencies.
		default:
			return leaves(name, target)
		}
	}
	return nil
}

func inside(name string) bool { return name != ".." && !strings.HasPrefix(name, "../") }

func leaves(name, target string) error {
	return fmt.Errorf("the symbolic link %s leads to %s, out of baseDir, of which alone the Function is made; "+
		"put the file itself there, or choose a baseDir that has both", name, target)
}
