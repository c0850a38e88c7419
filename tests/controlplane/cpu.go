package controlplane

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of time in /proc/<pid>/stat.
const tick = 10 * time.Millisecond

// CPU is how long each of a control plane's processes has computed. On a
// machine that does other things, too, it varies less than the time on the clock.
type CPU map[string]time.Duration

// ChildrenCPU is that of the processes which this one has started.
func ChildrenCPU() (CPU, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	used := CPU{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		name, rest, found := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if !found || len(fields) < 13 || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		_, name, _ = strings.Cut(name, "(")
		user, userErr := strconv.ParseInt(fields[11], 10, 64)
		system, systemErr := strconv.ParseInt(fields[12], 10, 64)
		if userErr == nil && systemErr == nil {
			used[name] += time.Duration(user+system) * tick
		}
	}
	return used, nil
}

// Since is what was used after the former reading.
func (c CPU) Since(former CPU) CPU {
	used := CPU{}
	for name, now := range c {
		used[name] = now - former[name]
	}
	return used
}

// String lists the processes, the busiest first, after the sum of all.
func (c CPU) String() string {
	var sum time.Duration
	for _, used := range c {
		sum += used
	}
	parts := []string{fmt.Sprintf("%.1f s", sum.Seconds())}
	for _, name := range slices.SortedFunc(maps.Keys(c), func(a, b string) int { return int(c[b] - c[a]) }) {
		parts = append(parts, fmt.Sprintf("%s %.1f", name, c[name].Seconds()))
	}
	return strings.Join(parts, ", ")
}
