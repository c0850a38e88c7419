package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/metrics"
)

var created = time.Unix(1_000_000, 0)

func function(uid string, generation int64) *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "orders", UID: types.UID(uid), Generation: generation, CreationTimestamp: metav1.NewTime(created),
		},
		Spec: v1alpha2.FunctionSpec{Runtime: "nodejs22", Source: v1alpha2.Source{Inline: &v1alpha2.InlineSource{}}},
	}
}

func conditions(given ...string) []v1alpha2.Condition {
	var all []v1alpha2.Condition
	for _, text := range given {
		name, status, _ := strings.Cut(text, "=")
		all = append(all, v1alpha2.Condition{Type: v1alpha2.ConditionType(name), Status: corev1.ConditionStatus(status)})
	}
	return all
}

func TestFunctionsAreMeasuredOnce(t *testing.T) {
	const configured, built, running = "function_configured_status_duration_millisecond",
		"function_built_status_duration_millisecond", "function_running_status_duration_millisecond"
	type observation struct {
		function        *v1alpha2.Function
		former, changed []v1alpha2.Condition
		after           time.Duration
	}
	for name, test := range map[string]struct {
		observations []observation
		want         map[string]float64
	}{
		"each condition at its time": {
			[]observation{
				{function("1", 1), nil, conditions("ConfigurationReady=True", "BuildReady=Unknown"), 50 * time.Millisecond},
				{function("1", 1), nil, conditions("BuildReady=True"), 1500 * time.Millisecond},
				{function("1", 1), nil, conditions("Running=Unknown"), 1600 * time.Millisecond},
				{function("1", 1), nil, conditions("Running=True"), 2 * time.Second},
			}, map[string]float64{configured: 50, built: 1500, running: 2000},
		},
		"a configuration that is refused": {
			[]observation{{function("1", 1), nil, conditions("ConfigurationReady=False"), time.Second}}, map[string]float64{configured: 1000},
		},
		"the first time only": {
			[]observation{
				{function("1", 1), nil, conditions("Running=True"), time.Second},
				{function("1", 1), conditions("Running=True"), conditions("Running=Unknown"), time.Hour},
				{function("1", 1), conditions("Running=Unknown"), conditions("Running=True"), 2 * time.Hour},
			}, map[string]float64{running: 1000},
		},
		"not what was reached before the controller started": {
			[]observation{
				{function("1", 1), conditions("Running=True"), conditions("Running=Unknown"), time.Hour},
				{function("1", 1), conditions("Running=Unknown"), conditions("Running=True"), 2 * time.Hour},
			}, map[string]float64{},
		},
		"not an edited Function": {
			[]observation{{function("1", 2), nil, conditions("BuildReady=True"), time.Second}}, map[string]float64{},
		},
		"an edited Function keeps what was measured": {
			[]observation{
				{function("1", 1), nil, conditions("BuildReady=True"), time.Second},
				{function("1", 2), nil, conditions("BuildReady=True"), time.Hour},
			}, map[string]float64{built: 1000},
		},
		"another Function of the name": {
			[]observation{
				{function("1", 1), nil, conditions("ConfigurationReady=True", "Running=True"), time.Second},
				{function("2", 1), nil, conditions("ConfigurationReady=True"), 2 * time.Second},
			}, map[string]float64{configured: 2000},
		},
		"a clock that is behind": {
			[]observation{{function("1", 1), nil, conditions("ConfigurationReady=True"), -time.Second}}, map[string]float64{configured: 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry()
			functions := metrics.NewFunctions(registry)
			for _, seen := range test.observations {
				functions.Observe(seen.function, seen.former, seen.changed, created.Add(seen.after))
			}
			expect(t, registry, test.want)
		})
	}
}

func expect(t *testing.T, registry *prometheus.Registry, want map[string]float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != len(want) {
		t.Errorf("%d metrics, want %d", len(families), len(want))
	}
	for _, family := range families {
		if len(family.Metric) != 1 || family.Metric[0].GetGauge().GetValue() != want[family.GetName()] {
			t.Errorf("%s is %v, want once %v", family.GetName(), family.Metric, want[family.GetName()])
		}
	}
}

func TestSeriesGoWithTheirFunction(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	functions := metrics.NewFunctions(registry)
	fn := function("1", 1)
	functions.Observe(fn, nil, conditions("ConfigurationReady=True", "BuildReady=True", "Running=True"), created)
	if number, err := testutil.GatherAndCount(registry); number != 3 || err != nil {
		t.Fatalf("%d series, %v; want 3", number, err)
	}
	functions.Forget(client.ObjectKeyFromObject(fn))
	if number, err := testutil.GatherAndCount(registry); number != 0 || err != nil {
		t.Errorf("%d series, %v; want none", number, err)
	}
}

func TestSeriesHaveTheLabelsOfTheContract(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	fn := function("1", 1)
	fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{}}
	metrics.NewFunctions(registry).Observe(fn, nil, conditions("BuildReady=True"), created.Add(time.Second))
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP function_built_status_duration_millisecond Time from a Function's creation until it was built for the first time, in its first generation.
# TYPE function_built_status_duration_millisecond gauge
function_built_status_duration_millisecond{name="orders",namespace="shop",runtime="nodejs22",type="git"} 1000
`))
	if err != nil {
		t.Error(err)
	}
}

func TestBuildMetricsFollowPrometheusNaming(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	builds := metrics.NewBuilds(registry)
	builds.Finished(metrics.ByJob, true, 3*time.Second)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestAnImageIsCountedOnce(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	builds := metrics.NewBuilds(registry)
	orders, stock := types.NamespacedName{Namespace: "shop", Name: "orders"}, types.NamespacedName{Namespace: "shop", Name: "stock"}
	builds.ImageAssembled(orders, "first")
	builds.ImageFound(orders, "first") // Its own.
	builds.ImageAssembled(orders, "second")
	builds.ImageFound(orders, "first")
	builds.ImageFound(stock, "first")
	builds.Forget(stock)
	builds.ImageFound(stock, "first")
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP serverless_image_requests_total Images that Functions needed: found in the registry, or assembled of layers there.
# TYPE serverless_image_requests_total counter
serverless_image_requests_total{result="assembled"} 2
serverless_image_requests_total{result="found"} 3
`), "serverless_image_requests_total")
	if err != nil {
		t.Error(err)
	}
}
