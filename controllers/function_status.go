package controllers

import (
	"context"
	"fmt"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

// observe reports how the Function's Pods are doing, whatever the steps before came to.
func (r *FunctionReconciler) observe(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	deployment, err := r.deployment(ctx, fn)
	if err != nil || deployment == nil {
		return err
	}
	// The scale subresource shows both, also while the Function is not running.
	found.status.Replicas = deployment.Status.Replicas
	found.status.PodSelector = labels.SelectorFromSet(deployment.Spec.Selector.MatchLabels).String()
	if found.has(v1alpha2.ConditionRunning) {
		return nil
	}
	pods, err := r.pods(ctx, fn)
	if err != nil {
		return err
	}
	running := workload.Rollout(deployment, pods)
	if running.Status == corev1.ConditionTrue {
		found.add(running)
		return r.removeExtras(ctx, fn)
	}
	secret, err := r.missingSecret(ctx, fn)
	if secret != "" {
		running.Message += fmt.Sprintf("; Secret %s doesn't exist: create it, or remove it from spec.secretMounts", secret)
	}
	found.add(running)
	return err
}

// missingSecret is the first of the mounted Secrets that doesn't exist, or "".
// Pods wait for it in silence. Users' Secrets are in no cache, and nothing of
// them is read but whether they are there.
func (r *FunctionReconciler) missingSecret(ctx context.Context, fn *v1alpha2.Function) (string, error) {
	for _, mount := range fn.Spec.SecretMounts {
		secret := &metav1.PartialObjectMetadata{}
		secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		err := r.Applier.Live.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: mount.SecretName}, secret)
		if apierrors.IsNotFound(err) {
			return mount.SecretName, nil
		}
		if err != nil {
			return "", fmt.Errorf("look for Secret %s: %w", mount.SecretName, err)
		}
	}
	return "", nil
}

// writeStatus writes the status if it differs, and an event for each condition that changed.
func (r *FunctionReconciler) writeStatus(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	var changed []v1alpha2.Condition
	found.status.Conditions, changed = status.Merge(fn.Status.Conditions, found.conditions, metav1.Now())
	if reflect.DeepEqual(fn.Status, found.status) {
		return nil
	}
	former := fn.DeepCopy()
	fn.Status = found.status
	err := r.Status().Patch(ctx, fn, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) {
		// What was seen is out of date, so may be what was found. The newer version is on its way here.
		return nil
	}
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	r.Durations.Observe(fn, former.Status.Conditions, changed, time.Now())
	for _, condition := range changed {
		// Events of one reason and action are folded into the first, and the others' messages are lost.
		action := fmt.Sprintf("%s@%d", condition.Type, fn.Generation)
		r.Recorder.Eventf(fn, nil, status.EventType(condition), string(condition.Reason), action, "%s", status.Note(condition.Message))
		log.FromContext(ctx).Info("condition changed", "type", condition.Type, "status", condition.Status, "reason", condition.Reason)
	}
	return nil
}

func (r *FunctionReconciler) deployment(ctx context.Context, fn *v1alpha2.Function) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{}
	err := r.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: workload.ChildName(fn)}, deployment)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Deployment of Function: %w", err)
	}
	return deployment, nil
}

func (r *FunctionReconciler) pods(ctx context.Context, fn *v1alpha2.Function) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := r.List(ctx, &pods, client.InNamespace(fn.Namespace),
		client.MatchingFields{indexFunction: fn.Name}, client.MatchingLabels(workload.SelectorLabels(fn)))
	if err != nil {
		return nil, fmt.Errorf("list Pods of Function: %w", err)
	}
	return pods.Items, nil
}
