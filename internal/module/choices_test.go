package module_test

import (
	"testing"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

func TestChoosePresets(t *testing.T) {
	for _, test := range []struct {
		name  string
		spec  v1alpha1.ServerlessSpec
		nodes int
		want  module.Presets
	}{
		{"no node yet", v1alpha1.ServerlessSpec{}, 0, module.Presets{BuildJob: "slow", RuntimePod: "XS"}},
		{"two nodes", v1alpha1.ServerlessSpec{}, 2, module.Presets{BuildJob: "slow", RuntimePod: "XS"}},
		{"three nodes", v1alpha1.ServerlessSpec{}, 3, module.Presets{BuildJob: "normal", RuntimePod: "L"}},
		{"asked for", v1alpha1.ServerlessSpec{DefaultBuildJobPreset: "fast", DefaultRuntimePodPreset: "M"}, 3,
			module.Presets{BuildJob: "fast", RuntimePod: "M"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := module.ChoosePresets(test.spec, test.nodes); got != test.want {
				t.Errorf("chose %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestChooseEndpoints(t *testing.T) {
	for _, test := range []struct {
		name    string
		spec    v1alpha1.ServerlessSpec
		tracing []string
		want    module.Endpoints
	}{
		{"nothing asked for", v1alpha1.ServerlessSpec{}, nil,
			module.Endpoints{Eventing: module.DefaultEventingEndpoint}},
		{"tracing Services in two namespaces", v1alpha1.ServerlessSpec{}, []string{"b", "a"},
			module.Endpoints{
				Eventing: module.DefaultEventingEndpoint,
				Tracing:  "http://telemetry-otlp-traces.a.svc.cluster.local:4318/v1/traces",
			}},
		{"endpoints asked for", v1alpha1.ServerlessSpec{
			Eventing: &v1alpha1.Endpoint{Endpoint: "http://e"}, Tracing: &v1alpha1.Endpoint{Endpoint: "http://t"},
		}, []string{"a"}, module.Endpoints{Eventing: "http://e", Tracing: "http://t"}},
		{"switched off", v1alpha1.ServerlessSpec{Eventing: &v1alpha1.Endpoint{}, Tracing: &v1alpha1.Endpoint{}}, []string{"a"},
			module.Endpoints{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := module.ChooseEndpoints(test.spec, test.tracing); got != test.want {
				t.Errorf("chose %+v, want %+v", got, test.want)
			}
		})
	}
}
