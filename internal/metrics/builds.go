package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Method is how an image, or a layer of it, is made.
type Method string

// The methods: the controller puts layers together, or a Job installs dependencies or fetches from Git.
const (
	ByAssembly Method = "assembly"
	ByJob      Method = "job"
)

// Builds measures how Functions' images come to be.
type Builds struct {
	durations        *prometheus.HistogramVec
	running, waiting prometheus.Gauge
	images, layers   *prometheus.CounterVec

	mutex sync.Mutex
	// last is each Function's image that was counted last.
	last map[types.NamespacedName]string
}

// NewBuilds returns the metrics of builds, registered.
func NewBuilds(registerer prometheus.Registerer) *Builds {
	b := &Builds{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "serverless_build_duration_seconds",
			Help:    "Duration of finished builds: of Jobs that install dependencies or fetch from Git, from their creation on, and of assemblies.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 900},
		}, []string{"method", "result"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "serverless_builds_running", Help: "Build Jobs that are running.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "serverless_builds_waiting", Help: "Builds that wait for others to end.",
		}),
		images: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serverless_image_requests_total",
			Help: "Images that Functions needed: found in the registry, or assembled of layers there.",
		}, []string{"result"}),
		layers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serverless_dependency_layer_requests_total",
			Help: "Dependency layers that images needed: found in the registry, or built by a Job.",
		}, []string{"result"}),
		last: map[types.NamespacedName]string{},
	}
	registerer.MustRegister(b.durations, b.running, b.waiting, b.images, b.layers)
	for _, result := range []string{"found", "assembled"} {
		b.images.WithLabelValues(result)
	}
	for _, result := range []string{"found", "built"} {
		b.layers.WithLabelValues(result)
	}
	return b
}

// Finished takes note of a build's end.
func (b *Builds) Finished(method Method, succeeded bool, took time.Duration) {
	result := "failed"
	if succeeded {
		result = "succeeded"
	}
	b.durations.WithLabelValues(string(method), result).Observe(max(took, 0).Seconds())
}

// ImageFound counts an image that the Function needs and that was in the registry.
func (b *Builds) ImageFound(function types.NamespacedName, image string) {
	b.count(function, image, "found")
}

// ImageAssembled counts an image that was put together for the Function.
func (b *Builds) ImageAssembled(function types.NamespacedName, image string) {
	b.count(function, image, "assembled")
}

// count leaves out the image that was counted last: who looks again, because
// it hasn't seen its own last step yet, finds what it made itself.
func (b *Builds) count(function types.NamespacedName, image, result string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.last[function] != image {
		b.last[function] = image
		b.images.WithLabelValues(result).Inc()
	}
}

// Forget drops what is held of a Function that is gone.
func (b *Builds) Forget(function types.NamespacedName) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.last, function)
}

// LayerFound counts a dependency layer that was in the registry.
func (b *Builds) LayerFound() { b.layers.WithLabelValues("found").Inc() }

// LayerBuilt counts a Job for a dependency layer.
func (b *Builds) LayerBuilt() { b.layers.WithLabelValues("built").Inc() }

// Running is told how many Jobs run.
func (b *Builds) Running(jobs int) { b.running.Set(float64(jobs)) }

// Waiting is told how many builds wait.
func (b *Builds) Waiting(builds int) { b.waiting.Set(float64(builds)) }
