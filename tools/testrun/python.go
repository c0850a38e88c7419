package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// inImage runs what follows it as a Function's user in the image's files, which
// can't be written, as in a pod: $1 is their directory, $2 the runtime's.
const inImage = `
set -e
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mkdir "$1/tmp/runtime"
mount --bind -o ro "$2" "$1/tmp/runtime"
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot --userspec=10001:10001 "$root" "$@" 2>&1
`

// servers are what the tests run, and which ones: all on the image's own, and
// on what developers run those of what callers and handlers see.
var servers = [][2]string{{"/usr/src/app/server.py", "test*.py"}, {"dev.py", "test_[abc]*.py"}}

// pythonTests runs a Python runtime's tests within the image that it has: no
// other Python on this machine is of the right version.
func pythonTests(ctx context.Context, log, directory string) (tally, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	unpack := command(ctx, ".", nil, "build/bin/images", "--unpack", "build/runtimes", "function-runtime-python313")
	if output, err := unpack.CombinedOutput(); err != nil {
		return tally{}, fmt.Errorf("unpack the image: %w\n%s", err, output)
	}
	root, err := filepath.Abs("build/runtimes/function-runtime-python313")
	if err != nil {
		return tally{}, err
	}
	if directory, err = filepath.Abs(directory); err != nil {
		return tally{}, err
	}
	var sum tally
	for _, server := range servers {
		tests := command(ctx, ".", []string{"SERVER=" + server[0], "PYTHONDONTWRITEBYTECODE=1", "PATH=/usr/bin:/usr/sbin:/bin:/sbin"},
			"unshare", "--mount", "sh", "-c", inImage, "sh", root, directory,
			"/usr/bin/python3", "-c", "import os, unittest; os.chdir('/tmp/runtime'); unittest.main(module=None, argv=['unittest', 'discover', '-v', '-t', '.', '-s', 'tests', '-p', '"+server[1]+"'])")
		result, err := parsed(ctx, log, parsePythonTest, tests)
		sum.add(result)
		sum.failures = append(sum.failures, result.failures...)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// pythonSum and pythonFailed match the end of unittest's output; its subtests fail each for itself.
var (
	pythonSum    = regexp.MustCompile(`^Ran (\d+) tests? in `)
	pythonCount  = regexp.MustCompile(`(failures|errors|skipped|unexpected successes)=(\d+)`)
	pythonFailed = regexp.MustCompile(`^(?:FAIL|ERROR): (.+)$`)
)

// parsePythonTest counts the tests of unittest.
func parsePythonTest(output io.Reader, log io.Writer) (tally, error) {
	var result tally
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 16<<20)
	ran, skipped := 0, 0
	for lines.Scan() {
		line := lines.Text()
		if _, err := io.WriteString(log, line+"\n"); err != nil {
			return result, err
		}
		if found := pythonSum.FindStringSubmatch(line); found != nil {
			ran, _ = strconv.Atoi(found[1])
		}
		if found := pythonFailed.FindStringSubmatch(line); found != nil {
			result.failures = append(result.failures, found[1])
		}
		if !strings.HasPrefix(line, "FAILED (") && !strings.HasPrefix(line, "OK (") {
			continue
		}
		for _, found := range pythonCount.FindAllStringSubmatch(line, -1) {
			count, _ := strconv.Atoi(found[2])
			if found[1] == "skipped" {
				skipped += count
			} else {
				result.failed += count
			}
		}
	}
	result.passed = max(0, ran-skipped-result.failed)
	return result, lines.Err()
}
