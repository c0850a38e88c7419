package layer

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"kyma-project.io/serverless/tools/images/internal/store"
)

// format is part of every layer's key. Raise it when the bytes written for the
// same tree change.
const format = "1"

// epoch is the time of every file: the first that all archive formats can hold.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	blobFile     = "blob.tar.gz"
	metadataFile = "layer.json"
)

// Cached returns the layer that was made from inputs before, or calls content
// and makes it.
func Cached(ctx context.Context, images *store.Store, inputs []string, content func() (Tree, error)) (v1.Layer, error) {
	key := store.Key(append([]string{format}, inputs...)...)
	dir, err := images.Entry(ctx, "layers", key, func(dir string) error {
		tree, err := content()
		if err != nil {
			return err
		}
		return write(dir, tree)
	})
	if err != nil {
		return nil, err
	}
	return open(dir)
}

// stored is a layer in the store. Its digests are kept beside it: computing
// them anew would mean to read and unpack each layer in each run.
type stored struct {
	path string
	metadata
}

type metadata struct {
	CompressedDigest v1.Hash `json:"digest"`
	ContentDigest    v1.Hash `json:"diffID"`
	Bytes            int64   `json:"size"`
}

var _ v1.Layer = (*stored)(nil)

func (s *stored) Digest() (v1.Hash, error)            { return s.CompressedDigest, nil }
func (s *stored) DiffID() (v1.Hash, error)            { return s.ContentDigest, nil }
func (s *stored) Size() (int64, error)                { return s.Bytes, nil }
func (s *stored) MediaType() (types.MediaType, error) { return types.OCILayer, nil }
func (s *stored) Compressed() (io.ReadCloser, error)  { return os.Open(s.path) }
func (s *stored) Uncompressed() (io.ReadCloser, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{reader, file}, nil
}

func open(dir string) (*stored, error) {
	content, err := os.ReadFile(filepath.Join(dir, metadataFile))
	if err != nil {
		return nil, fmt.Errorf("open layer: %w", err)
	}
	layer := &stored{path: filepath.Join(dir, blobFile)}
	if err := json.Unmarshal(content, &layer.metadata); err != nil {
		return nil, fmt.Errorf("open layer in %s: %w; remove the directory", dir, err)
	}
	return layer, nil
}

func write(dir string, tree Tree) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, blobFile))
	if err != nil {
		return err
	}
	compressed := &counter{Hash: sha256.New()}
	content := sha256.New()
	zipper := gzip.NewWriter(io.MultiWriter(file, compressed))
	err = errors.Join(writeTar(io.MultiWriter(zipper, content), tree), zipper.Close(), file.Close())
	if err != nil {
		return fmt.Errorf("write layer: %w", err)
	}

	metadata, err := json.Marshal(metadata{
		CompressedDigest: hashOf(compressed),
		ContentDigest:    hashOf(content),
		Bytes:            compressed.bytes,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, metadataFile), metadata, 0o644)
}

func writeTar(to io.Writer, tree Tree) error {
	archive := tar.NewWriter(to)
	for _, name := range tree.names() {
		node, ok := tree[name]
		if !ok {
			node = Node{Mode: fs.ModeDir | 0o755}
		}
		if err := writeNode(archive, name, node); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return archive.Close()
}

func writeNode(archive *tar.Writer, name string, node Node) error {
	header := &tar.Header{Name: name, ModTime: epoch, Format: tar.FormatPAX}
	// tar counts the sticky bit, which /tmp has, to the permissions; Go doesn't.
	header.Mode = int64(node.Mode.Perm())
	if node.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000
	}
	switch node.Mode.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
		return archive.WriteHeader(header)
	case fs.ModeSymlink:
		header.Typeflag, header.Linkname = tar.TypeSymlink, node.Link
		return archive.WriteHeader(header)
	}

	content, err := node.content()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = archive.Write(content)
	return err
}

// counter is a hash that knows how much it has seen.
type counter struct {
	hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.Hash.Write(p)
}

func hashOf(digest hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(digest.Sum(nil))}
}
