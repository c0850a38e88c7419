// Bench measures what users wait for, each next to its floor in the same run,
// on a local cluster with the module (`make bench`).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
)

// measurement is a row of the table: medians of paired runs.
type measurement struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Baseline is the floor's value, Ratio the median of value/baseline pair by pair.
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"`
	Runs     int     `json:"runs"`

	aim string
}

// pair is one run of a thing and of its floor.
type pair struct{ value, baseline time.Duration }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := pflag.Int("runs", 5, "how often each is measured")
	output := pflag.String("output", "build/bench.json", "file for the figures")
	pflag.Parse()
	if err := run(ctx, *runs, *output); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, runs int, output string) error {
	lab, err := newLaboratory(ctx)
	if err != nil {
		return err
	}
	defer lab.close(context.WithoutCancel(ctx))
	var table []measurement
	for _, benchmark := range []struct {
		name, aim string
		once      func(context.Context, int) (pair, error)
	}{
		{"edit_to_answer", "≤ 1.3", lab.editToAnswer},
		{"second_function", "≤ 1.5", lab.secondFunction},
		{"first_build", "", lab.firstBuild},
	} {
		fmt.Fprintf(os.Stderr, "%s ", benchmark.name)
		var pairs []pair
		for i := range runs {
			measured, err := benchmark.once(ctx, i)
			if err != nil {
				return fmt.Errorf("measure %s: %w", benchmark.name, err)
			}
			fmt.Fprintf(os.Stderr, " %.2f/%.2f", measured.value.Seconds(), measured.baseline.Seconds())
			pairs = append(pairs, measured)
		}
		fmt.Fprintln(os.Stderr)
		table = append(table, summarize(benchmark.name, benchmark.aim, pairs))
	}
	print(table)
	text, err := json.MarshalIndent(table, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}

func summarize(name, aim string, pairs []pair) measurement {
	var values, baselines, ratios []float64
	for _, p := range pairs {
		values = append(values, p.value.Seconds())
		baselines = append(baselines, p.baseline.Seconds())
		ratios = append(ratios, p.value.Seconds()/p.baseline.Seconds())
	}
	return measurement{
		Name: name, Value: median(values), Unit: "s", Baseline: median(baselines), Ratio: median(ratios), Runs: len(pairs), aim: aim,
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func print(table []measurement) {
	writer := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(writer, "benchmark\tmedian\tfloor\tratio\taim\truns")
	for _, row := range table {
		fmt.Fprintf(writer, "%s\t%.2f %s\t%.2f %s\t%.2f\t%s\t%d\n", row.Name, row.Value, row.Unit, row.Baseline, row.Unit, row.Ratio, row.aim, row.Runs)
	}
	writer.Flush()
}
