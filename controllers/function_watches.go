package controllers

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// firstBackoff is the time to the first try after an error.
const firstBackoff = 200 * time.Millisecond

// reconciliationTimeout keeps a registry that hangs from holding a worker. It
// is enough to copy a base image over a slow line; what was copied stays.
const reconciliationTimeout = 2 * time.Minute

// SetupWithManager has the reconciler called for each change that matters to
// a Function. Packages is the cache of the package registry Secrets. After
// errors the next try is at most longestBackoff away.
func (r *FunctionReconciler) SetupWithManager(mgr ctrl.Manager, packages cache.Cache, workers int, longestBackoff time.Duration) error {
	inNamespace := func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.functions(ctx, all, client.InNamespace(object.GetNamespace()))
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("function").
		For(&v1alpha2.Function{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&batchv1.Job{}).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(r.waitingForBuild)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(functionOfPod)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(inNamespace)).
		WatchesRawSource(source.Kind(packages, &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(ctx context.Context, secret *corev1.Secret) []reconcile.Request { return inNamespace(ctx, secret) }))).
		WatchesRawSource(source.Func(r.pollGit)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			ReconciliationTimeout:   reconciliationTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstBackoff, longestBackoff),
		}).
		Complete(r)
}

// functionOfPod is the Function that the Pod serves or builds.
func functionOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha2.LabelFunctionName]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pod.GetNamespace(), Name: name}}}
}

// waitingForBuild are the Functions which a Job's end lets go on: those that
// wait for the same dependencies, or for their turn.
func (r *FunctionReconciler) waitingForBuild(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.functions(ctx, waiting)
}

// waiting tells whether a Function waits for a build.
func waiting(fn *v1alpha2.Function) bool {
	built := fn.Status.Condition(v1alpha2.ConditionBuildReady)
	return built != nil && built.Status != corev1.ConditionTrue
}

func all(*v1alpha2.Function) bool { return true }

// functions are requests for those of the listed Functions that are to be kept.
func (r *FunctionReconciler) functions(ctx context.Context, keep func(*v1alpha2.Function) bool, options ...client.ListOption) []reconcile.Request {
	var list v1alpha2.FunctionList
	if err := r.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list Functions to reconcile")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if keep(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
