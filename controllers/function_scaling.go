package controllers

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

// scale has the Function scaled and its Pods spared, as far as its spec gives
// reason to. Autoscalers of others for the Function stay as they are.
func (r *FunctionReconciler) scale(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	if err := r.autoscale(ctx, fn, found); err != nil {
		return found.failed(v1alpha2.ConditionRunning, v1alpha2.ReasonHorizontalPodAutoscalerFailed, err)
	}
	if err := r.spare(ctx, fn); err != nil {
		return found.failed(v1alpha2.ConditionRunning, v1alpha2.ReasonPodDisruptionBudgetFailed, err)
	}
	return nil
}

func (r *FunctionReconciler) spare(ctx context.Context, fn *v1alpha2.Function) error {
	budget := workload.PodDisruptionBudget(fn)
	if budget == nil {
		return r.removeChild(ctx, fn, &policyv1.PodDisruptionBudget{})
	}
	_, err := r.Applier.Apply(ctx, budget)
	return err
}

func (r *FunctionReconciler) autoscale(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	autoscaler := workload.HorizontalPodAutoscaler(fn, r.Workload)
	if autoscaler == nil {
		return r.removeChild(ctx, fn, &autoscalingv2.HorizontalPodAutoscaler{})
	}
	if fn.Status.PodSelector == "" {
		// The autoscaler reads it at once, and would complain. Writing it is what calls us again;
		// until then the Function isn't what its spec says, however its Pods are.
		found.add(status.Condition(v1alpha2.ConditionRunning, corev1.ConditionUnknown, v1alpha2.ReasonDeploymentWaiting,
			workload.Waiting(workload.ChildName(fn))))
		return nil
	}
	result, err := r.Applier.Apply(ctx, autoscaler)
	if err != nil {
		return err
	}
	found.add(status.Applied(autoscaler.Kind, autoscaler.Name, result)...)
	return nil
}

// removeChild deletes the Function's child of the object's kind.
func (r *FunctionReconciler) removeChild(ctx context.Context, fn *v1alpha2.Function, object client.Object) error {
	object.SetNamespace(fn.Namespace)
	object.SetName(workload.ChildName(fn))
	return r.Applier.Remove(ctx, fn, object)
}

// exceptStatus leaves out updates of nothing but a status: that of an
// autoscaler changes with each look at the metrics.
var exceptStatus = predicate.Funcs{UpdateFunc: func(update event.UpdateEvent) bool {
	return !equality.Semantic.DeepEqual(desiredOf(update.ObjectOld), desiredOf(update.ObjectNew))
}}

// desiredOf is the part of the object that we apply.
func desiredOf(object client.Object) []any {
	desired := []any{object.GetLabels(), object.GetAnnotations(), object.GetOwnerReferences(), object.GetDeletionTimestamp()}
	switch object := object.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		return append(desired, object.Spec)
	case *policyv1.PodDisruptionBudget:
		return append(desired, object.Spec)
	}
	return append(desired, object.GetResourceVersion())
}
