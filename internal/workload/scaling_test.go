package workload_test

import (
	"reflect"
	"testing"

	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/workload"
)

func TestReplicasAreWhatIsAskedForWithinBounds(t *testing.T) {
	for name, test := range map[string]struct {
		asked  *int32
		bounds *v1alpha2.ScaleConfig
		want   int32
		// autoscaled and spared tell whether there is an autoscaler and a disruption budget.
		autoscaled, spared bool
	}{
		"unset":                     {want: 1},
		"stopped":                   {asked: ptr.To(int32(0)), want: 0},
		"three":                     {asked: ptr.To(int32(3)), want: 3, spared: true},
		"within bounds":             {asked: ptr.To(int32(2)), bounds: between(1, 3), want: 2, autoscaled: true, spared: true},
		"at the lower bound of one": {asked: ptr.To(int32(1)), bounds: between(1, 3), want: 1, autoscaled: true},
		"below the bounds":          {asked: ptr.To(int32(1)), bounds: between(2, 3), want: 2, autoscaled: true, spared: true},
		"above the bounds":          {asked: ptr.To(int32(9)), bounds: between(1, 3), want: 3, autoscaled: true, spared: true},
		"unset, with bounds":        {bounds: between(2, 3), want: 2, autoscaled: true, spared: true},
		"stopped, with bounds":      {asked: ptr.To(int32(0)), bounds: between(2, 3), want: 0, autoscaled: true},
		"pinned up":                 {asked: ptr.To(int32(1)), bounds: between(4, 4), want: 4, spared: true},
		"pinned down":               {asked: ptr.To(int32(9)), bounds: between(1, 1), want: 1},
		"pinned and stopped":        {asked: ptr.To(int32(0)), bounds: between(4, 4), want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction()
			fn.Spec.Replicas, fn.Spec.ScaleConfig = test.asked, test.bounds
			if got := *deployment(fn, runtime.Runtime{}).Spec.Replicas; got != test.want {
				t.Errorf("%d replicas, want %d", got, test.want)
			}
			if got := workload.HorizontalPodAutoscaler(fn, workload.Config{}) != nil; got != test.autoscaled {
				t.Errorf("autoscaled: %v", got)
			}
			if got := workload.PodDisruptionBudget(fn) != nil; got != test.spared {
				t.Errorf("has a disruption budget: %v", got)
			}
		})
	}
}

func TestScalingReplacesNoPod(t *testing.T) {
	one, many := newFunction(), newFunction()
	many.Spec.Replicas, many.Spec.ScaleConfig = ptr.To(int32(7)), between(2, 9)
	if !reflect.DeepEqual(deployment(one, runtime.Runtime{}).Spec.Template, deployment(many, runtime.Runtime{}).Spec.Template) {
		t.Error("the Pods' template depends on how many there are")
	}
}

func between(least, greatest int32) *v1alpha2.ScaleConfig {
	return &v1alpha2.ScaleConfig{MinReplicas: &least, MaxReplicas: &greatest}
}
