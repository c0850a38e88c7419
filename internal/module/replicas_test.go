package module_test

import (
	"maps"
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

func TestSeveralReplicasAreSpreadAndEvictedOneByOne(t *testing.T) {
	for _, replicas := range []int64{1, 2} {
		configuration := module.Configuration{Presets: module.Presets{BuildJob: "slow", RuntimePod: "XS"}}
		values := configuration.Values(images)
		values["function-controller"].(map[string]any)["replicas"] = replicas
		values["webhook"] = map[string]any{"replicas": replicas}
		objects, err := load(t).Render(chart.Release{Name: module.Release, Namespace: "kyma-system"}, values, chartutil.DefaultCapabilities)
		if err != nil {
			t.Fatal(err)
		}
		var budgets []string
		for _, object := range objects {
			switch object.GetKind() {
			case "PodDisruptionBudget":
				budgets = append(budgets, object.GetName())
			case "Deployment":
				expectSpread(t, object, replicas)
			}
		}
		want := []string{"serverless-ctrl-mngr", "serverless-webhook-svc"}
		if replicas == 1 {
			want = nil
		}
		if !slices.Equal(budgets, want) {
			t.Errorf("%d replicas have budgets %v, want %v", replicas, budgets, want)
		}
	}
}

func expectSpread(t *testing.T, deployment *unstructured.Unstructured, replicas int64) {
	t.Helper()
	if got, _, _ := unstructured.NestedInt64(deployment.Object, "spec", "replicas"); got != replicas {
		t.Errorf("%s has %d replicas, want %d", deployment.GetName(), got, replicas)
	}
	selected, _, _ := unstructured.NestedMap(deployment.Object, "spec", "selector", "matchLabels")
	constraints, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "topologySpreadConstraints")
	var keys []string
	for _, constraint := range constraints {
		key, _, _ := unstructured.NestedString(constraint.(map[string]any), "topologyKey")
		keys = append(keys, key)
		spread, _, _ := unstructured.NestedMap(constraint.(map[string]any), "labelSelector", "matchLabels")
		if len(spread) == 0 || !maps.Equal(spread, selected) {
			t.Errorf("%s spreads %v, want its own Pods: %v", deployment.GetName(), spread, selected)
		}
	}
	want := []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
	if replicas == 1 {
		want = nil
	}
	if !slices.Equal(keys, want) {
		t.Errorf("%d replicas of %s are spread over %v, want %v", replicas, deployment.GetName(), keys, want)
	}
}
