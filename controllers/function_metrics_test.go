package controllers_test

import (
	"context"
	"fmt"
	"net"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// functionMetricsSpecs are about what the running controller answers
// (contract/functions.md 3.8; 12, checks 67 and 68).
func functionMetricsSpecs(w *functionWorld) {
	durations := []string{
		"function_configured_status_duration_millisecond", "function_built_status_duration_millisecond", "function_running_status_duration_millisecond",
	}

	It("tell how long a Function took, as long as it is there", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "measured")
		w.run(ctx, fn)
		labels := map[string]string{"name": "measured", "namespace": fn.Namespace, "type": "inline", "runtime": "nodejs22"}
		for _, name := range durations {
			Eventually(func() []*dto.Metric { return w.scrape(ctx, name, labels) }).Should(HaveLen(1), name)
			Expect(w.scrape(ctx, name, labels)[0].GetGauge().GetValue()).To(And(BeNumerically(">=", 0), BeNumerically("<", 60_000)), name)
		}

		Expect(w.Delete(ctx, fn)).To(Succeed())
		for _, name := range durations {
			Eventually(func() []*dto.Metric { return w.scrape(ctx, name, labels) }).Should(BeEmpty(), name)
		}
	})

	It("count images and dependency layers, and measure builds", func(ctx SpecContext) {
		value := func(name string, labels ...string) func() float64 {
			return func() float64 { return w.sum(ctx, name, labels...) }
		}
		count := func() [6]float64 {
			return [6]float64{
				value("serverless_image_requests_total", "result", "assembled")(),
				value("serverless_image_requests_total", "result", "found")(),
				value("serverless_dependency_layer_requests_total", "result", "built")(),
				value("serverless_dependency_layer_requests_total", "result", "found")(),
				value("serverless_build_duration_seconds", "method", "job", "result", "succeeded")(),
				value("serverless_build_duration_seconds", "method", "assembly", "result", "succeeded")(),
			}
		}
		before := count()
		grown := func() [6]float64 {
			now := count()
			for i := range now {
				now[i] -= before[i]
			}
			return now
		}
		first := needing(w.newNamespace(ctx), "first", "ms")
		Expect(w.Create(ctx, first)).To(Succeed())
		Eventually(value("serverless_builds_running")).Should(Equal(1.0))
		w.finish(ctx, w.onlyJob(ctx, first.Namespace))
		w.becomesReady(ctx, first)
		Eventually(value("serverless_builds_running")).Should(Equal(0.0))
		Expect(grown()).To(Equal([6]float64{1, 0, 1, 0, 1, 1}), "a Job and an assembly")

		second := needing(first.Namespace, "second", "ms")
		w.run(ctx, second)
		Expect(grown()).To(Equal([6]float64{2, 0, 1, 1, 1, 2}), "the same packages")

		source := second.Spec.Source.Inline.Source
		w.change(ctx, second, func() { second.Spec.Source.Inline.Source += "// changed" })
		w.becomesReady(ctx, second)
		w.change(ctx, second, func() { second.Spec.Source.Inline.Source = source })
		w.becomesReady(ctx, second)
		Expect(grown()).To(Equal([6]float64{3, 1, 1, 2, 1, 3}), "an edit, and back")
		Expect(value("serverless_builds_waiting")()).To(BeZero())
	})

	It("come with probes that answer with and without a slash at the end", func(ctx SpecContext) {
		for _, path := range []string{"/healthz", "/healthz/", "/readyz", "/readyz/"} {
			Eventually(func() (int, error) {
				response, err := ask(ctx, "http://"+w.probes+path)
				if err != nil {
					return 0, err
				}
				return response.StatusCode, response.Body.Close()
			}).Should(Equal(http.StatusOK), path)
		}
	})
}

// scrape reads the series of the metric that have the labels.
func (w *functionWorld) scrape(ctx context.Context, name string, labels map[string]string) []*dto.Metric {
	GinkgoHelper()
	response, err := ask(ctx, "http://"+w.metrics+"/metrics")
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	Expect(err).NotTo(HaveOccurred())
	var found []*dto.Metric
	for _, metric := range families[name].GetMetric() {
		matching := 0
		for _, label := range metric.GetLabel() {
			if value, wanted := labels[label.GetName()]; wanted && value == label.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			found = append(found, metric)
		}
	}
	return found
}

// sum is the value of the metric's series with the labels (name, value, …); of a histogram the number of observations.
func (w *functionWorld) sum(ctx context.Context, name string, labels ...string) float64 {
	GinkgoHelper()
	wanted := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		wanted[labels[i]] = labels[i+1]
	}
	sum := 0.0
	for _, metric := range w.scrape(ctx, name, wanted) {
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return sum
}

func ask(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// freeAddress is one that nothing listens at.
func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return fmt.Sprint(listener.Addr())
}
