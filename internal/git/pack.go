package git

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// The library holds one object after the other in memory, and all their names;
// what a pack says of its size is the word of whoever made it. So each pack is
// looked through, in bounded memory, before the library gets it.
const (
	// maxObject is how large one file of the commit may be, wherever it is.
	maxObject = 64 << 20
	// maxObjects is how many files and directories the commit may have, and
	// maxUnpacked how large they may be together, wherever they are.
	maxObjects  = 200_000
	maxUnpacked = 1 << 30
)

// storedPack writes the pack to a file of the directory, if it is within the limits.
func storedPack(content io.Reader, directory string) (*os.File, error) {
	file, err := os.CreateTemp(directory, "pack-")
	if err != nil {
		return nil, fmt.Errorf("make room for objects: %w", err)
	}
	err = checkPack(io.TeeReader(content, file))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func checkPack(content io.Reader) error {
	scanner := packfile.NewScanner(content)
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if count > maxObjects {
		return &LimitError{fmt.Sprintf("the commit has %d files and directories, and %d is the limit for a repository; use a smaller one", count, maxObjects)}
	}
	unpacked := int64(0)
	for range count {
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return err
		}
		// What of the object matters is read first: the rest may be a bomb.
		if err := checkSize(header.Length); err != nil {
			return err
		}
		if unpacked += header.Length; unpacked > maxUnpacked {
			return &LimitError{fmt.Sprintf("the commit holds more than %d GiB, which is the limit for a repository; use a smaller one", maxUnpacked>>30)}
		}
		begin := &deltaBegin{isDelta: header.Type.IsDelta()}
		size, _, err := scanner.NextObject(begin)
		if err != nil {
			return err
		}
		if size != header.Length {
			return fmt.Errorf("an object has %d bytes, and should have %d", size, header.Length)
		}
	}
	_, err = scanner.Checksum()
	return err
}

func checkSize(size int64) error {
	if size > maxObject {
		return &LimitError{fmt.Sprintf("the repository has a file of %d MiB, and %d MiB is the limit; use a repository without it", size>>20, maxObject>>20)}
	}
	return nil
}

// deltaBegin reads of a delta how large an object it makes.
type deltaBegin struct {
	isDelta bool
	read    []byte
}

// Write implements io.Writer.
func (d *deltaBegin) Write(content []byte) (int, error) {
	if !d.isDelta {
		return len(content), nil
	}
	d.read = append(d.read, content[:min(len(content), 2*binary.MaxVarintLen64)]...)
	reader := bytes.NewReader(d.read)
	if _, err := binary.ReadUvarint(reader); err != nil {
		return len(content), nil // The rest is still to come.
	}
	size, err := binary.ReadUvarint(reader)
	if err != nil {
		return len(content), nil
	}
	d.isDelta, d.read = false, nil
	return len(content), checkSize(int64(min(size, 1<<62)))
}
