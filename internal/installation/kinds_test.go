package installation

import (
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

// A kind that is not watched is neither reverted nor deleted.
func TestEveryRenderedKindIsWatched(t *testing.T) {
	rendered := map[string]bool{}
	for _, object := range renderAll(t) {
		rendered[object.GetKind()] = true
		if slices.Contains(OptionalKinds, object.GroupVersionKind()) {
			continue
		}
		if !slices.Contains(Kinds, object.GroupVersionKind()) {
			t.Errorf("%s %s is of a kind that is not watched", object.GetKind(), object.GetName())
		}
	}
	for _, kind := range OptionalKinds {
		if !rendered[kind.Kind] {
			t.Errorf("no %s where the cluster has the kind", kind.Kind)
		}
	}
}

// renderAll renders the chart with all that can be switched on.
func renderAll(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		t.Fatal(err)
	}
	configuration := module.Configuration{
		Registry: module.Registry{Internal: true, NodePort: 32137},
		Presets:  module.Presets{BuildJob: "slow", RuntimePod: "XS"},
	}
	images := module.Images{FunctionController: "c", FunctionBuilder: "b", FunctionRegistry: "r", FunctionWebhook: "w", Runtimes: map[string]string{"nodejs22": "n"}}
	capabilities := chartutil.DefaultCapabilities.Copy()
	for _, kind := range OptionalKinds {
		capabilities.APIVersions = append(capabilities.APIVersions, kind.GroupVersion().String()+"/"+kind.Kind)
	}
	values := configuration.Values(images)
	values["function-controller"].(map[string]any)["replicas"] = 2
	values["webhook"] = map[string]any{"replicas": 2}
	objects, err := parts.Render(chart.Release{Name: module.Release, Namespace: "kyma-system"}, values, capabilities)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
