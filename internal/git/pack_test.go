package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

const (
	blob     = 3
	refDelta = 7
)

// pack is a packfile that says to have the count of objects.
func pack(count uint32, objects ...[]byte) []byte {
	content := append([]byte("PACK\x00\x00\x00\x02"), binary.BigEndian.AppendUint32(nil, count)...)
	for _, object := range objects {
		content = append(content, object...)
	}
	sum := sha1.Sum(content)
	return append(content, sum[:]...)
}

// packed is an object that says to have the length.
func packed(kind byte, length uint64, content []byte) []byte {
	header := []byte{kind<<4 | byte(length&0x0f)}
	for length >>= 4; length > 0; length >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(length&0x7f))
	}
	if kind == refDelta {
		header = append(header, make([]byte, sha1.Size)...)
	}
	var compressed bytes.Buffer
	writer := zlib.NewWriter(&compressed)
	_, _ = writer.Write(content)
	_ = writer.Close()
	return append(header, compressed.Bytes()...)
}

// delta makes an object of the size out of one of another size.
func delta(from, to uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, from), to)
}

func TestPackThatLiesIsRefused(t *testing.T) {
	grows := delta(1, 4<<30)
	for name, test := range map[string]struct {
		pack  []byte
		limit bool
		want  string
	}{
		"nothing wrong":                   {pack(2, packed(blob, 1, []byte("1")), packed(refDelta, 2, delta(1, 5))), false, ""},
		"more objects than may be":        {pack(1 << 31), true, "the commit has 2147483648 files and directories, and 200000 is the limit"},
		"a large object":                  {pack(1, packed(blob, 1<<40, nil)), true, "has a file of 1048576 MiB, and 64 MiB is the limit"},
		"a delta that grows":              {pack(1, packed(refDelta, uint64(len(grows)), grows)), true, "has a file of 4096 MiB, and 64 MiB is the limit"},
		"an object that's larger":         {pack(1, packed(blob, 5, bytes.Repeat([]byte("1"), 1<<20))), false, "inflated"},
		"an object that's smaller":        {pack(1, packed(blob, 50, []byte("1"))), false, "!"},
		"fewer objects than it says":      {pack(2, packed(blob, 1, []byte("1"))), false, "!"},
		"an end in the middle":            {pack(1, packed(blob, 1, []byte("1")))[:14], false, "!"},
		"no pack":                         {[]byte("<html>"), false, "!"},
		"more than may be, in many parts": {pack(64, bytes.Repeat(packed(blob, 64<<20, make([]byte, 64<<20)), 17)), true, "holds more than 1 GiB"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := storedPack(bytes.NewReader(test.pack), t.TempDir())
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if stored, err := io.ReadAll(file); err != nil || !bytes.Equal(stored, test.pack) {
					t.Errorf("%d of %d bytes are stored, %v", len(stored), len(test.pack), err)
				}
				return
			}
			var limit *LimitError
			if err == nil || errors.As(err, &limit) != test.limit || test.want != "!" && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// Packs come from whatever a user names.
func FuzzPack(f *testing.F) {
	for _, seed := range [][]byte{nil, pack(0), pack(1, packed(blob, 1, []byte("1"))), pack(2, packed(refDelta, 2, delta(1, 5))), pack(1<<31, packed(blob, 1<<40, nil))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := storedPack(bytes.NewReader(content), t.TempDir())
		if (file == nil) != (err != nil) {
			t.Errorf("%v, %v", file, err)
		}
		if file != nil {
			file.Close()
		}
	})
}
