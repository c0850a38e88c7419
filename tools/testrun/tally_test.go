package main

import (
	"io"
	"strings"
	"testing"
)

func TestSums(t *testing.T) {
	report := func(output io.Reader, _ io.Writer) (tally, error) {
		text, err := io.ReadAll(output)
		if err != nil {
			return tally{}, err
		}
		return parseGinkgoReport(text)
	}
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
		"Ginkgo's report": {report, `[{"SuiteSucceeded":false,"SpecReports":[
{"LeafNodeType":"BeforeSuite","State":"passed"},{"LeafNodeType":"It","State":"passed"},{"LeafNodeType":"It","State":"skipped"},
{"LeafNodeType":"It","State":"failed"},{"LeafNodeType":"It","State":"timedout"},{"LeafNodeType":"AfterSuite","State":"panicked"}]}]`, 1, 3},
		"a Ginkgo suite that has specs that ran, and fails apart from them": {report, `[{"SuiteSucceeded":false,"SpecReports":[
{"LeafNodeType":"It","State":"passed"}],"SpecialSuiteFailureReasons":["interrupted"]}]`, 1, 1},
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
