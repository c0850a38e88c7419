// Package volume tells how full the volume of the registry is, and from when
// on that is to be said, and nothing more to be taken.
package volume

import (
	"fmt"
	"syscall"
)

const (
	gibi = 1 << 30
	mebi = 1 << 20
)

// Amount is of bytes, or of files.
type Amount struct{ Total, Available uint64 }

// Usage is what a file system has. One that has as many files as it has bytes
// for has no Files.
type Usage struct{ Bytes, Files Amount }

// Measure asks the file system of a directory.
func Measure(dir string) (Usage, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return Usage{}, fmt.Errorf("measure file system of %s: %w", dir, err)
	}
	block := uint64(stat.Frsize)
	return Usage{
		// What is kept for root is nobody's: the registry isn't root.
		Bytes: Amount{Total: (stat.Blocks - stat.Bfree + stat.Bavail) * block, Available: stat.Bavail * block},
		Files: Amount{Total: stat.Files, Available: stat.Ffree},
	}, nil
}

// percent that is in use, rounded down: it is 100 only if nothing is left.
func (a Amount) percent() int {
	if a.Total == 0 {
		return 0
	}
	return int(float64(a.Total-min(a.Available, a.Total)) / float64(a.Total) * 100)
}

// below tells whether less than the share, or less than the amount, is left: a
// share of a large disk is room for many images.
func (a Amount) below(share float64, enough uint64) bool {
	return a.Total > 0 && float64(a.Available) < min(share*float64(a.Total), float64(enough))
}

// IsFull tells whether only the reserve is left. Uploads may not have it: what
// was begun is finished with it, and what deletes may have to write.
func (u Usage) IsFull() bool { return u.isFull(1) }

// IsLow tells whether so little is left that it is to be said.
func (u Usage) IsLow() bool { return u.isLow(1) }

func (u Usage) isFull(margin float64) bool {
	return u.Bytes.below(0.02*margin, uint64(512*mebi*margin)) || u.Files.below(0.02*margin, uint64(10_000*margin))
}

func (u Usage) isLow(margin float64) bool {
	return u.Bytes.below(0.15*margin, uint64(5*gibi*margin)) || u.Files.below(0.15*margin, uint64(100_000*margin))
}

// Describe says how much of what is in use.
func (u Usage) Describe() string {
	if u.Files.percent() > u.Bytes.percent() {
		return fmt.Sprintf("%d %% of its %d files are in use", u.Files.percent(), u.Files.Total)
	}
	return fmt.Sprintf("%d %% of its %s are in use", u.Bytes.percent(), size(u.Bytes.Total))
}

func (u Usage) percent() int { return max(u.Bytes.percent(), u.Files.percent()) }

func size(bytes uint64) string {
	if bytes < gibi {
		return fmt.Sprintf("%d MiB", bytes/mebi)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gibi)
}
