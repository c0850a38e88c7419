// Package layer makes image layers of which the digest depends on nothing but
// what is in them: sorted, with fixed times and owners.
package layer

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the content of a layer, by path without a leading slash. Directories
// above an entry need not be added.
type Tree map[string]Node

// Node is a file, a directory or a symbolic link.
type Node struct {
	Mode    fs.FileMode // its type and permissions
	Link    string      // target of a symbolic link
	Content []byte      // of a file, if From is empty
	From    string      // the file on this machine with the content
}

// File adds a file with the permissions that content of its kind has.
func (t Tree) File(name string, content []byte) { t[clean(name)] = Node{Mode: 0o644, Content: content} }

// Executable adds the file at from on this machine as an executable.
func (t Tree) Executable(name, from string) { t[clean(name)] = Node{Mode: 0o755, From: from} }

// Symlink adds a symbolic link.
func (t Tree) Symlink(name, target string) {
	t[clean(name)] = Node{Mode: fs.ModeSymlink | 0o777, Link: target}
}

// Dir adds a directory.
func (t Tree) Dir(name string, mode fs.FileMode) { t[clean(name)] = Node{Mode: fs.ModeDir | mode} }

// AddDir adds all that is in the directory dir on this machine below name.
func (t Tree) AddDir(name, dir string) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return t.addPath(path.Join(name, filepath.ToSlash(below)), file, entry)
	})
}

func (t Tree) addPath(name, file string, entry fs.DirEntry) error {
	switch entry.Type() {
	case fs.ModeDir:
		t.Dir(name, 0o755)
	case fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		t.Symlink(name, target)
	case 0:
		info, err := entry.Info()
		if err != nil {
			return err
		}
		t[clean(name)] = Node{Mode: permissions(info.Mode()), From: file}
	default:
		return fmt.Errorf("add %s to layer: %s is neither file, directory nor link", file, entry.Type())
	}
	return nil
}

// AddTar adds the entries of a tar stream for which rename returns a name.
func (t Tree) AddTar(stream io.Reader, rename func(name string) string) error {
	reader := tar.NewReader(stream)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := rename(clean(header.Name))
		if name == "" {
			continue
		}
		if err := t.addHeader(name, header, reader, rename); err != nil {
			return fmt.Errorf("read %s from archive: %w", header.Name, err)
		}
	}
}

func (t Tree) addHeader(name string, header *tar.Header, content io.Reader, rename func(string) string) error {
	switch header.Typeflag {
	case tar.TypeDir:
		// Two packages may hold the directory that a third has as a link.
		if _, there := t[name]; !there {
			t.Dir(name, 0o755)
		}
	case tar.TypeSymlink:
		t.Symlink(name, header.Linkname)
	case tar.TypeLink:
		original, ok := t[rename(clean(header.Linkname))]
		if !ok {
			return fmt.Errorf("the target %s of a hard link is not there", header.Linkname)
		}
		t[name] = original
	case tar.TypeReg:
		bytes, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		t[name] = Node{Mode: permissions(header.FileInfo().Mode()), Content: bytes}
	default:
		return fmt.Errorf("entries of type %q are not supported", header.Typeflag)
	}
	return nil
}

// AddTree adds all that is in another tree below name.
func (t Tree) AddTree(name string, other Tree) {
	for below, node := range other {
		t[clean(path.Join(name, below))] = node
	}
}

// WriteTo writes the tree to a directory of this machine.
func (t Tree) WriteTo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range t.names() {
		if err := t.writeNode(filepath.Join(dir, filepath.FromSlash(name)), name); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func (t Tree) writeNode(file, name string) error {
	node, ok := t[name]
	switch {
	case !ok, node.Mode.IsDir():
		return os.MkdirAll(file, 0o755)
	case node.Mode.Type() == fs.ModeSymlink:
		return os.Symlink(node.Link, file)
	}
	content, err := node.content()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, node.Mode.Perm())
}

// Digest is a digest of the tree, of which all content is loaded.
func (t Tree) Digest() string {
	digest := sha256.New()
	for _, name := range t.names() {
		node := t[name]
		fmt.Fprintf(digest, "%q %d %q %q\n", name, node.Mode, node.Link, node.Content)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// content is that of a file.
func (n Node) content() ([]byte, error) {
	if n.From == "" {
		return n.Content, nil
	}
	return os.ReadFile(n.From)
}

// Load reads the content of all files, for a tree that outlives them.
func (t Tree) Load() error {
	for name, node := range t {
		content, err := node.content()
		if err != nil {
			return fmt.Errorf("read content of layer: %w", err)
		}
		node.Content, node.From = content, ""
		t[name] = node
	}
	return nil
}

// names returns the paths in the order of a layer: sorted, each directory
// before what is in it.
func (t Tree) names() []string {
	all := make(map[string]struct{}, len(t))
	for name := range t {
		for ; name != "." && name != ""; name = path.Dir(name) {
			all[name] = struct{}{}
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// permissions keeps of a mode whether a file is executable. In particular no
// setuid bit comes into an image.
func permissions(mode fs.FileMode) fs.FileMode {
	if mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }
