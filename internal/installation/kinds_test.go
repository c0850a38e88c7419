package installation

import (
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"

	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

// A kind that is not watched is neither reverted nor deleted.
func TestEveryRenderedKindIsWatched(t *testing.T) {
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		t.Fatal(err)
	}
	configuration := module.Configuration{
		Registry: module.Registry{Internal: true, NodePort: 32137},
		Presets:  module.Presets{BuildJob: "slow", RuntimePod: "XS"},
	}
	images := module.Images{FunctionController: "c", FunctionBuilder: "b", FunctionRegistry: "r", FunctionWebhook: "w", Runtimes: map[string]string{"nodejs22": "n"}}
	objects, err := parts.Render(chart.Release{Name: module.Release, Namespace: "kyma-system"},
		configuration.Values(images), chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if !slices.Contains(Kinds, object.GroupVersionKind()) {
			t.Errorf("%s %s is of a kind that is not watched", object.GetKind(), object.GetName())
		}
	}
}
