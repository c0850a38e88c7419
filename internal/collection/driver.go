// Package collection deletes from the registry's storage what nothing refers
// to any more, while pushes and pulls go on (docs/decisions/collection.md).
package collection

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// Driver is a storage driver that remembers when each piece of content was
// used last. No request uses a piece while the collector deletes one.
type Driver struct {
	storagedriver.StorageDriver
	now func() time.Time

	// barrier is held by each operation, and alone by a deletion.
	barrier sync.RWMutex

	mutex sync.Mutex
	used  map[string]time.Time
	// started counts as a use of everything: what was used before is not known.
	started time.Time
}

// NewDriver wraps the storage of a registry that starts now.
func NewDriver(storage storagedriver.StorageDriver, now func() time.Time) *Driver {
	return &Driver{StorageDriver: storage, now: now, used: map[string]time.Time{}, started: now()}
}

// piece is the directory that stands for what is at the path: a blob, or a
// repository's link to a manifest or to a layer. It is "" for all else.
func piece(path string) string {
	for _, kind := range []struct {
		marker string
		// parts are how many parts of the path after the marker name the piece.
		parts int
	}{
		{"/_manifests/revisions/", 2}, {"/_layers/", 2}, {blobs + "/", 3},
	} {
		before, after, found := strings.Cut(path, kind.marker)
		if !found {
			continue
		}
		parts := strings.SplitN(after, "/", kind.parts+1)
		if len(parts) < kind.parts {
			return ""
		}
		return before + kind.marker + strings.Join(parts[:kind.parts], "/")
	}
	return ""
}

func (d *Driver) touch(path string) {
	if key := piece(path); key != "" {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.used[key] = d.now()
	}
}

// lastUse is the time of a piece's last use, as far as it is known.
func (d *Driver) lastUse(key string) time.Time {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if used, found := d.used[key]; found {
		return used
	}
	return d.started
}

// forget drops what was used before the time, so that memory is bounded by
// what is in use.
func (d *Driver) forget(before time.Time) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for key, used := range d.used {
		if used.Before(before) {
			delete(d.used, key)
		}
	}
	if d.started.Before(before) {
		d.started = before
	}
}

// use runs an operation on the path, and notes it unless it found nothing.
func (d *Driver) use(path string, operation func() error) error {
	d.barrier.RLock()
	defer d.barrier.RUnlock()
	err := operation()
	if err == nil {
		d.touch(path)
	}
	return err
}

// GetContent implements storagedriver.StorageDriver.
func (d *Driver) GetContent(ctx context.Context, path string) (content []byte, err error) {
	err = d.use(path, func() error { content, err = d.StorageDriver.GetContent(ctx, path); return err })
	return content, err
}

// PutContent implements storagedriver.StorageDriver.
func (d *Driver) PutContent(ctx context.Context, path string, content []byte) error {
	return d.use(path, func() error { return d.StorageDriver.PutContent(ctx, path, content) })
}

// Reader implements storagedriver.StorageDriver.
func (d *Driver) Reader(ctx context.Context, path string, offset int64) (reader io.ReadCloser, err error) {
	err = d.use(path, func() error { reader, err = d.StorageDriver.Reader(ctx, path, offset); return err })
	return reader, err
}

// Writer implements storagedriver.StorageDriver.
func (d *Driver) Writer(ctx context.Context, path string, appending bool) (writer storagedriver.FileWriter, err error) {
	err = d.use(path, func() error { writer, err = d.StorageDriver.Writer(ctx, path, appending); return err })
	return writer, err
}

// Stat implements storagedriver.StorageDriver.
func (d *Driver) Stat(ctx context.Context, path string) (info storagedriver.FileInfo, err error) {
	err = d.use(path, func() error { info, err = d.StorageDriver.Stat(ctx, path); return err })
	return info, err
}

// Move implements storagedriver.StorageDriver.
func (d *Driver) Move(ctx context.Context, from, to string) error {
	return d.use(to, func() error { return d.StorageDriver.Move(ctx, from, to) })
}

// Delete implements storagedriver.StorageDriver.
func (d *Driver) Delete(ctx context.Context, path string) error {
	d.barrier.RLock()
	defer d.barrier.RUnlock()
	return d.StorageDriver.Delete(ctx, path)
}

// deleteUnlessUsed runs the deletion of a piece while nobody uses anything,
// unless the piece was used after the time. It tells whether it ran.
func (d *Driver) deleteUnlessUsed(key string, after time.Time, deletion func() error) (bool, error) {
	d.barrier.Lock()
	defer d.barrier.Unlock()
	if d.lastUse(key).After(after) {
		return false, nil
	}
	return true, deletion()
}
