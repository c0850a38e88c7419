package main

import (
	"io"
	"strings"
	"testing"
)

func TestSums(t *testing.T) {
	for name, test := range map[string]struct {
		parse          func(io.Reader, io.Writer) (tally, error)
		output         string
		passed, failed int
	}{
		"Go tests": {parseGoTest, `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}
{"Action":"skip","Package":"p","Test":"TestC"}`, 1, 1},
		"a package that doesn't build": {parseGoTest, `{"Action":"fail","Package":"p"}`, 0, 1},
		"a Ginkgo suite counts its specs": {parseGoTest, `{"Action":"output","Package":"p","Test":"TestE2E","Output":"Ran 9 of 9 Specs in 3 seconds\n"}
{"Action":"output","Package":"p","Test":"TestE2E","Output":"\u001b[38;5;9mFAIL!\u001b[0m -- \u001b[1m7 Passed\u001b[0m | \u001b[1m2 Failed\u001b[0m | 0 Pending\n"}
{"Action":"fail","Package":"p","Test":"TestE2E"}`, 7, 2},
		"Node.js tests in TAP":             {parseNodeTest, "ok 1 - a\nnot ok 2 - b\n# pass 1\n# fail 1\n# cancelled 0", 1, 1},
		"Node.js tests in the spec format": {parseNodeTest, "✔ a\n\u2139 pass 3\n\u2139 fail 0", 3, 0},
		"Python tests":                     {parsePythonTest, "test_a ... ok\nFAIL: test_b (tests.T.test_b) [1]\n\nRan 7 tests in 1.2s\n\nFAILED (failures=1, errors=1, skipped=2)", 3, 2},
		"Python tests that pass":           {parsePythonTest, "Ran 7 tests in 1.2s\n\nOK", 7, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.parse(strings.NewReader(test.output), io.Discard)
			if err != nil || got.passed != test.passed || got.failed != test.failed {
				t.Errorf("got %d passed, %d failed, %v; want %d, %d", got.passed, got.failed, err, test.passed, test.failed)
			}
		})
	}
}
