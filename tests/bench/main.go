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
	"strings"
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
	// Baseline is the floor's value, Ratio the median of value/baseline pair by
	// pair; what has no floor has neither.
	Baseline float64 `json:"baseline,omitempty"`
	Ratio    float64 `json:"ratio,omitempty"`
	Runs     int     `json:"runs"`

	aim string
}

// pair is one run of a thing and of its floor.
type pair struct{ value, baseline time.Duration }

// figure is one run of anything that has a unit, and of its floor.
type figure struct{ value, baseline float64 }

// options are what the user asks for.
type options struct {
	runs, scaleRuns, functions int
	output, tools              string
	// only are the benchmarks to run; none means all.
	only []string
}

func (o options) wants(name string) bool { return len(o.only) == 0 || slices.Contains(o.only, name) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var options options
	pflag.IntVar(&options.runs, "runs", 5, "how often each is measured")
	pflag.IntVar(&options.scaleRuns, "scale-runs", 2, "how often controller_scale is measured")
	pflag.IntVar(&options.functions, "functions", 2000, "how many Functions the controller_… benchmarks create")
	pflag.StringVar(&options.output, "output", "build/bench.json", "file for the figures")
	pflag.StringVar(&options.tools, "tools", "build/bin", "directory of the program cluster")
	pflag.Usage = func() { fmt.Fprint(os.Stderr, usage()); pflag.PrintDefaults() }
	pflag.Parse()
	options.only = pflag.Args()
	if err := run(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// suites are the benchmarks, by what they are measured on.
var suites = []struct {
	names   []string
	measure func(context.Context, options) ([]measurement, error)
}{
	{[]string{"edit_to_answer", "second_function", "first_build", "parallel_builds", "large_dependencies"}, measureWaiting},
	{[]string{"controller_scale", "controller_rest_memory", "controller_rest_writes"}, measureScale},
	{[]string{"node_hello", "node_json", "node_tracing", "node_start", "node_memory"}, measureNodejs},
	{[]string{"python_hello", "python_json", "python_tracing", "python_start", "python_memory"}, measurePython},
	{[]string{"registry_growth", "builder_memory"}, measureRegistry},
	{[]string{"operator_rest_memory", "operator_rest_writes"}, measureOperator},
}

func usage() string {
	text := "usage: bench [BENCHMARK...]\n\n"
	for _, suite := range suites {
		text += "  " + strings.Join(suite.names, " ") + "\n"
	}
	return text + "\n"
}

func run(ctx context.Context, options options) error {
	var known []string
	for _, suite := range suites {
		known = append(known, suite.names...)
	}
	for _, name := range options.only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no benchmark %q; there are: %s", name, strings.Join(known, " "))
		}
	}
	var table []measurement
	for _, suite := range suites {
		if !slices.ContainsFunc(suite.names, options.wants) {
			continue
		}
		rows, err := suite.measure(ctx, options)
		if err != nil {
			return err
		}
		table = append(table, rows...)
	}
	print(table)
	text, err := json.MarshalIndent(table, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(options.output, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}

// measureWaiting measures how long a user waits, on a real cluster.
func measureWaiting(ctx context.Context, options options) ([]measurement, error) {
	lab, err := newLaboratory(ctx)
	if err != nil {
		return nil, err
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
		{"parallel_builds", "", lab.parallelBuilds},
		{"large_dependencies", "", lab.largeDependencies},
	} {
		if !options.wants(benchmark.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s ", benchmark.name)
		var pairs []pair
		for i := range options.runs {
			measured, err := benchmark.once(ctx, i)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", benchmark.name, err)
			}
			fmt.Fprintf(os.Stderr, " %.2f/%.2f", measured.value.Seconds(), measured.baseline.Seconds())
			pairs = append(pairs, measured)
		}
		fmt.Fprintln(os.Stderr)
		table = append(table, summarize(benchmark.name, benchmark.aim, pairs))
	}
	return table, nil
}

func summarize(name, aim string, pairs []pair) measurement {
	var figures []figure
	for _, p := range pairs {
		figures = append(figures, figure{p.value.Seconds(), p.baseline.Seconds()})
	}
	return summarizeFigures(name, "s", aim, figures)
}

func summarizeFigures(name, unit, aim string, figures []figure) measurement {
	var values, baselines, ratios []float64
	for _, f := range figures {
		values = append(values, f.value)
		baselines = append(baselines, f.baseline)
		ratios = append(ratios, f.value/f.baseline)
	}
	return measurement{
		Name: name, Value: median(values), Unit: unit, Baseline: median(baselines), Ratio: median(ratios), Runs: len(figures), aim: aim,
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
		floor, ratio := "–", "–"
		if row.Baseline != 0 {
			floor, ratio = fmt.Sprintf("%.2f %s", row.Baseline, row.Unit), fmt.Sprintf("%.2f", row.Ratio)
		}
		fmt.Fprintf(writer, "%s\t%.2f %s\t%s\t%s\t%s\t%d\n", row.Name, row.Value, row.Unit, floor, ratio, row.aim, row.Runs)
	}
	writer.Flush()
}
