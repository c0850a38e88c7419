package controllers

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// firstBackoff is the time to the first try after an error.
const firstBackoff = 200 * time.Millisecond

// ReconciliationTimeout keeps a registry that hangs from holding a worker. It
// is enough to copy a base image over a slow line; what was copied stays.
const ReconciliationTimeout = 2 * time.Minute

// SetupWithManager has the reconciler called for each change that matters to
// a Function. Packages is the cache of the package registry Secrets. After
// errors the next try is at most longestBackoff away.
func (r *FunctionReconciler) SetupWithManager(mgr ctrl.Manager, packages cache.Cache, workers int, longestBackoff time.Duration) error {
	if err := errors.Join(indexExtras(mgr.GetFieldIndexer()), indexPods(mgr.GetFieldIndexer())); err != nil {
		return err
	}
	inNamespace := func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.functions(ctx, object.GetNamespace())
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("function").
		For(&v1alpha2.Function{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&batchv1.Job{}).
		Owns(&autoscalingv2.HorizontalPodAutoscaler{}, builder.WithPredicates(exceptStatus)).
		Owns(&policyv1.PodDisruptionBudget{}, builder.WithPredicates(exceptStatus)).
		Watches(&batchv1.Job{}, r.jobChanges()).
		WatchesRawSource(source.Func(r.wokenByBuilds)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(functionOfPod)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(inNamespace)).
		WatchesRawSource(source.Kind(packages, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(ctx context.Context, secret *corev1.Secret) []reconcile.Request { return inNamespace(ctx, secret) }))).
		WatchesRawSource(source.Func(r.pollGit)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			ReconciliationTimeout:   ReconciliationTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstBackoff, longestBackoff),
		}).
		Complete(r.Loop.Watch(r))
}

// functionOfPod is the Function that the Pod serves or builds.
func functionOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha2.LabelFunctionName]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pod.GetNamespace(), Name: name}}}
}

// jobChanges let the builder know of each build's state. It wakes those who wait for it.
func (r *FunctionReconciler) jobChanges() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	changed := func(ctx context.Context, former, current client.Object) {
		before, _ := former.(*batchv1.Job)
		if job, isJob := current.(*batchv1.Job); isJob {
			r.Builder.JobChanged(ctx, before, job)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, _ queue) { changed(ctx, nil, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) { changed(ctx, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) { changed(ctx, nil, e.Object) },
	}
}

// wokenByBuilds lets the builder have Functions reconciled.
func (r *FunctionReconciler) wokenByBuilds(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.Builder.WakeThrough(func(function client.ObjectKey) { queue.Add(reconcile.Request{NamespacedName: function}) })
	return nil
}

// functions are requests for the namespace's Functions.
func (r *FunctionReconciler) functions(ctx context.Context, namespace string) []reconcile.Request {
	var list v1alpha2.FunctionList
	if err := r.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list Functions to reconcile")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
