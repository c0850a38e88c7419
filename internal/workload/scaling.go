package workload

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Replicas is how many Pods the Function is to have: spec.replicas, which any
// scaler writes, within the bounds of scaleConfig. 0 stops a Function whatever
// the bounds are, as it pauses a HorizontalPodAutoscaler.
func Replicas(fn *v1alpha2.Function) int32 {
	replicas := ptr.Deref(fn.Spec.Replicas, 1)
	if replicas == 0 || fn.Spec.ScaleConfig == nil {
		return replicas
	}
	least, greatest := bounds(fn.Spec.ScaleConfig)
	return min(max(replicas, least), greatest)
}

// HorizontalPodAutoscaler scales the Function by its CPU utilization, through
// its scale subresource (contract/functions.md 3.6). It is nil where there is
// nothing to choose: without bounds, or with equal ones.
func HorizontalPodAutoscaler(fn *v1alpha2.Function, config Config) *autoscalingv2.HorizontalPodAutoscaler {
	if fn.Spec.ScaleConfig == nil {
		return nil
	}
	least, greatest := bounds(fn.Spec.ScaleConfig)
	if least == greatest {
		return nil
	}
	return &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"},
		ObjectMeta: objectMeta(fn, ChildName(fn)),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: v1alpha2.GroupVersion.String(), Kind: "Function", Name: fn.Name,
			},
			MinReplicas: &least,
			MaxReplicas: greatest,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &config.TargetCPUUtilization,
					},
				},
			}},
		},
	}
}

// PodDisruptionBudget has Pods evicted one by one, so that draining nodes never
// stops a Function that has several. It is nil for one Pod, whose eviction it
// couldn't do anything about but to forbid it, and a drain must not hang.
func PodDisruptionBudget(fn *v1alpha2.Function) *policyv1.PodDisruptionBudget {
	if Replicas(fn) <= 1 {
		return nil
	}
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: objectMeta(fn, ChildName(fn)),
		Spec: policyv1.PodDisruptionBudgetSpec{
			// Not minAvailable: with the Pods scaled down to one and the budget still there, that one could go.
			MaxUnavailable: ptr.To(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: SelectorLabels(fn)},
			// Pods that don't answer protect nobody.
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		},
	}
}

// topologySpread puts a Function's Pods on several nodes and zones where it can.
// It doesn't depend on the number of Pods: scaling must not replace those that run.
func topologySpread(fn *v1alpha2.Function) []corev1.TopologySpreadConstraint {
	var constraints []corev1.TopologySpreadConstraint
	for _, key := range []string{corev1.LabelHostname, corev1.LabelTopologyZone} {
		constraints = append(constraints, corev1.TopologySpreadConstraint{
			MaxSkew:           1,
			TopologyKey:       key,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: SelectorLabels(fn)},
			// The Pods of the revision that goes don't count.
			MatchLabelKeys: []string{"pod-template-hash"},
		})
	}
	return constraints
}

func bounds(config *v1alpha2.ScaleConfig) (least, greatest int32) {
	least = ptr.Deref(config.MinReplicas, 1)
	return least, ptr.Deref(config.MaxReplicas, least)
}
