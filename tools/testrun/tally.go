package main

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// tally counts tests.
type tally struct {
	passed, failed int
	failures       []string
	skipped        []string
}

func (t *tally) add(other tally) {
	t.passed += other.passed
	t.failed += other.failed
}

// goEvent is a line of `go test -json`.
type goEvent struct {
	Action, Package, Test, Output string
}

// ansi matches colours.
var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// parseGoTest counts the tests of `go test -json`, and writes what
// the tests print to the log.
func parseGoTest(output io.Reader, log io.Writer) (tally, error) {
	var result tally
	failedIn := map[string]int{}
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event goEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			if _, err := io.WriteString(log, lines.Text()+"\n"); err != nil {
				return result, err
			}
			continue
		}
		if _, err := io.WriteString(log, event.Output); err != nil {
			return result, err
		}
		id := event.Package + " " + event.Test
		switch {
		case event.Action == "skip" && event.Test != "":
			result.skipped = append(result.skipped, id)
		case event.Action == "pass" && event.Test != "":
			result.passed++
		case event.Action == "fail" && event.Test != "":
			result.failed++
			failedIn[event.Package]++
			result.failures = append(result.failures, id)
		case event.Action == "fail" && failedIn[event.Package] == 0:
			// The package doesn't build, or ended before its tests did.
			result.failed++
			result.failures = append(result.failures, event.Package)
		}
	}
	return result, lines.Err()
}

// nodeCount matches the sums that Node.js's test runner ends with.
var nodeCount = regexp.MustCompile(`^(?:#|ℹ) (pass|fail|cancelled) (\d+)$`)

// parseNodeTest counts the tests of `node --test`.
func parseNodeTest(output io.Reader, log io.Writer) (tally, error) {
	var result tally
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := ansi.ReplaceAllString(lines.Text(), "")
		if _, err := io.WriteString(log, line+"\n"); err != nil {
			return result, err
		}
		if strings.HasPrefix(strings.TrimSpace(line), "not ok") || strings.HasPrefix(strings.TrimSpace(line), "✖") {
			result.failures = append(result.failures, strings.TrimSpace(line))
		}
		found := nodeCount.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		count, _ := strconv.Atoi(found[2])
		if found[1] == "pass" {
			result.passed += count
		} else {
			result.failed += count
		}
	}
	return result, lines.Err()
}
