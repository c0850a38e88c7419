// Testrun runs all of the project's tests, stage by stage, and sums them up
// in one line, which is the last one.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

const logs = "build/test"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	assets := pflag.String("assets", "", "directory of kube-apiserver, etcd and kubectl; empty: ask the cluster program")
	pflag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: testrun [STAGE...]\n\nstages: %s\n", strings.Join(stageNames(stages("")), " "))
		pflag.PrintDefaults()
	}
	pflag.Parse()
	failed, err := run(ctx, *assets, pflag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

func run(ctx context.Context, assets string, only []string) (failed bool, err error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return false, err
	}
	if assets == "" {
		if assets, err = ask(ctx, "build/bin/cluster", "assets"); err != nil {
			return false, err
		}
	}
	all := stages(assets)
	for _, name := range only {
		if !slices.Contains(stageNames(all), name) {
			return false, fmt.Errorf("no stage %q; the stages are: %s", name, strings.Join(stageNames(all), " "))
		}
	}
	var sum tally
	for _, stage := range all {
		if len(only) > 0 && !slices.Contains(only, stage.name) {
			continue
		}
		sum.add(runStage(ctx, stage))
	}
	fmt.Printf("\n%d passed, %d failed\n", sum.passed, sum.failed)
	return sum.failed > 0, nil
}

func runStage(ctx context.Context, stage stage) tally {
	fmt.Printf("%-10s %s\n", stage.name, stage.what)
	begin := time.Now()
	file := filepath.Join(logs, stage.name+".log")
	result, err := stage.run(ctx, file)
	if err != nil && result.failed == 0 {
		// What failed isn't a test: the build, or what the tests stand on.
		result.failed, result.failures = 1, []string{fmt.Sprintf("%s: %v", stage.name, err)}
	}
	if result.passed+result.failed == 0 {
		result.failed, result.failures = 1, []string{stage.name + ": ran no test"}
	}
	for _, failure := range result.failures {
		fmt.Printf("  ✗ %s\n", strings.ReplaceAll(failure, "\n", "\n    "))
	}
	if result.failed > 0 {
		fmt.Printf("  the end of %s:\n%s\n", file, tail(file, 60))
	}
	fmt.Printf("  %d passed, %d failed (%s)\n", result.passed, result.failed, time.Since(begin).Round(time.Second))
	return result
}

func stageNames(all []stage) []string {
	names := make([]string, len(all))
	for i, stage := range all {
		names[i] = stage.name
	}
	return names
}

func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return "    " + strings.Join(all[max(0, len(all)-lines):], "\n    ")
}
