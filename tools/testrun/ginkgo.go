package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
)

// specs runs a package's Ginkgo specs in several processes at once: they wait
// for the cluster, or an API server, most of the time. Specs that disturb
// others are marked Serial, and run alone after the rest.
func specs(ctx context.Context, log, pkg string, processes int, env []string, args ...string) (tally, error) {
	name := strings.TrimSuffix(filepath.Base(log), ".log")
	report := filepath.Join(logs, name+".json")
	if err := os.Remove(report); err != nil && !os.IsNotExist(err) {
		return tally{}, fmt.Errorf("remove former report: %w", err)
	}
	command := command(ctx, ".", env, "go", append([]string{
		"tool", "ginkgo", "run", fmt.Sprintf("--procs=%d", processes), "--no-color", "--silence-skips",
		"--output-dir=" + logs, "--json-report=" + filepath.Base(report),
	}, append(args, pkg)...)...)
	_, err := parsed(ctx, log, func(output io.Reader, log io.Writer) (tally, error) {
		_, err := io.Copy(log, output)
		return tally{}, err
	}, command)
	text, readErr := os.ReadFile(report)
	if readErr != nil {
		return tally{}, fmt.Errorf("%s ran no specs: %w", pkg, err)
	}
	result, parseErr := parseGinkgoReport(text)
	if parseErr != nil {
		return result, parseErr
	}
	return result, err
}

// parseGinkgoReport counts the specs of a Ginkgo JSON report. What fails apart
// from them, such as the suite's set-up, or interrupts them, counts too.
func parseGinkgoReport(text []byte) (tally, error) {
	var suites []types.Report
	if err := json.Unmarshal(text, &suites); err != nil {
		return tally{}, fmt.Errorf("parse Ginkgo's report: %w", err)
	}
	var result tally
	for _, suite := range suites {
		for _, spec := range suite.SpecReports {
			switch {
			case spec.State.Is(types.SpecStateFailureStates):
				result.failed++
				result.failures = append(result.failures, fmt.Sprintf("%s\n%s\n%s", spec.FullText(), spec.FailureLocation(), spec.FailureMessage()))
			case spec.State == types.SpecStatePassed && spec.LeafNodeType == types.NodeTypeIt:
				result.passed++
			}
		}
		if !suite.SuiteSucceeded && result.failed == 0 {
			result.failed++
			result.failures = append(result.failures, fmt.Sprintf("%s: %s", suite.SuiteDescription, strings.Join(suite.SpecialSuiteFailureReasons, "; ")))
		}
	}
	return result, nil
}
