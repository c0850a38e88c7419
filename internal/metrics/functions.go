// Package metrics measures what users of the module wait for.
package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// durations describes the gauge of each condition (contract/functions.md 3.8).
var durations = map[v1alpha2.ConditionType]*prometheus.Desc{
	v1alpha2.ConditionConfigurationReady: durationDesc("configured"),
	v1alpha2.ConditionBuildReady:         durationDesc("built"),
	v1alpha2.ConditionRunning:            durationDesc("running"),
}

func durationDesc(name string) *prometheus.Desc {
	return prometheus.NewDesc("function_"+name+"_status_duration_millisecond",
		"Time from a Function's creation until it was "+name+" for the first time, in its first generation.",
		[]string{"name", "namespace", "type", "runtime"}, nil)
}

// Functions holds how long each Function took from its creation to each of
// its conditions. It keeps a few bytes for a Function and makes the series of
// them when it is asked: vectors would hold three series with all their labels
// for each, and look through all of them to delete one.
type Functions struct {
	mutex     sync.Mutex
	functions map[types.NamespacedName]*durationsOf
}

type durationsOf struct {
	uid                 types.UID
	sourceType, runtime string
	milliseconds        map[v1alpha2.ConditionType]float64
	// passed are conditions that the Function had before anybody measured.
	passed map[v1alpha2.ConditionType]bool
}

// NewFunctions returns the metrics of Functions, registered.
func NewFunctions(registerer prometheus.Registerer) *Functions {
	f := &Functions{functions: map[types.NamespacedName]*durationsOf{}}
	registerer.MustRegister(f)
	return f
}

// Observe takes note of the conditions that changed now, in a Function of the
// first generation. Former are the conditions before.
func (f *Functions) Observe(fn *v1alpha2.Function, former, changed []v1alpha2.Condition, now time.Time) {
	if fn.Generation != 1 {
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	of := f.of(fn)
	for _, condition := range former {
		if _, measured := of.milliseconds[condition.Type]; !measured && reached(condition) {
			of.passed[condition.Type] = true
		}
	}
	for _, condition := range changed {
		_, measured := of.milliseconds[condition.Type]
		if measured || of.passed[condition.Type] || !reached(condition) {
			continue
		}
		// A creation has no fraction of a second, and another machine's clock.
		elapsed := max(now.Sub(fn.CreationTimestamp.Time), 0)
		of.milliseconds[condition.Type] = float64(elapsed.Milliseconds())
	}
}

// reached tells whether the condition ends what is measured. A configuration
// is judged in any case (contract/functions.md 3.8).
func reached(condition v1alpha2.Condition) bool {
	return condition.Status == corev1.ConditionTrue || condition.Type == v1alpha2.ConditionConfigurationReady
}

func (f *Functions) of(fn *v1alpha2.Function) *durationsOf {
	key := client.ObjectKeyFromObject(fn)
	if found := f.functions[key]; found != nil && found.uid == fn.UID {
		return found
	}
	sourceType := "inline"
	if fn.Spec.Source.GitRepository != nil {
		sourceType = "git"
	}
	made := &durationsOf{
		uid: fn.UID, sourceType: sourceType, runtime: string(fn.Spec.Runtime),
		milliseconds: map[v1alpha2.ConditionType]float64{}, passed: map[v1alpha2.ConditionType]bool{},
	}
	f.functions[key] = made
	return made
}

// Forget removes what is held of a Function that is gone.
func (f *Functions) Forget(function types.NamespacedName) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.functions, function)
}

// Describe tells the registry which metrics there are.
func (f *Functions) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range durations {
		descriptions <- description
	}
}

// Collect makes the series.
func (f *Functions) Collect(series chan<- prometheus.Metric) {
	for _, metric := range f.series() {
		series <- metric
	}
}

// series are made before any is handed over, as a slow reader must not hold up who measures.
func (f *Functions) series() []prometheus.Metric {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	all := make([]prometheus.Metric, 0, len(durations)*len(f.functions))
	for key, of := range f.functions {
		for condition, value := range of.milliseconds {
			all = append(all, prometheus.MustNewConstMetric(durations[condition], prometheus.GaugeValue, value,
				key.Name, key.Namespace, of.sourceType, of.runtime))
		}
	}
	return all
}
