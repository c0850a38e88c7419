package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/installation"
	"kyma-project.io/serverless/internal/module"
)

// How soon and how seldom a failed reconciliation is tried again. Who has
// removed the cause looks for the effect, so the last is short.
const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 20 * time.Second
)

// ServerlessCacheOptions limits the operator's cache to what it manages. Only
// metadata is watched, so no Secret's content is held.
func ServerlessCacheOptions() cache.Options {
	byObject := map[client.Object]cache.ByObject{}
	for _, kind := range installation.Kinds {
		byObject[metadataOf(kind)] = cache.ByObject{Label: installation.Selector()}
	}
	return cache.Options{ByObject: byObject}
}

// SetupWithManager lets the reconciler be woken by its resources, by each
// object that it manages, and by the Services that Telemetry offers for traces.
func (r *ServerlessReconciler) SetupWithManager(mgr ctrl.Manager) error {
	tracingServices, err := addNamed(mgr, &corev1.Service{}, module.TracingServiceName)
	if err != nil {
		return err
	}
	monitors, err := addNamed(mgr, &apiextensionsv1.CustomResourceDefinition{}, monitorDefinition)
	if err != nil {
		return err
	}
	r.TracingServices, r.OptionalDefinitions = tracingServices, monitors

	enqueueAll := handler.EnqueueRequestsFromMapFunc(r.all)
	metadataToAll := handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, object *metav1.PartialObjectMetadata) []reconcile.Request {
		return r.all(ctx, object)
	})
	built := ctrl.NewControllerManagedBy(mgr).
		Named("serverless").
		WithOptions(controller.Options{RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryLast)}).
		For(&v1alpha1.Serverless{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// When the one in effect is gone, another one may take its place.
		Watches(&v1alpha1.Serverless{}, enqueueAll, builder.WithPredicates(deletions())).
		WatchesRawSource(source.TypedKind(tracingServices, metadataOf(corev1.SchemeGroupVersion.WithKind("Service")), metadataToAll)).
		WatchesRawSource(source.TypedKind(monitors, metadataOf(definitions), metadataToAll))
	for _, kind := range installation.Kinds {
		built = built.WatchesMetadata(metadataOf(kind), enqueueAll)
	}
	return built.Complete(r)
}

// addNamed adds a cache of its own for the objects of the name, whoever made
// them: those managed are selected by label.
func addNamed(mgr ctrl.Manager, kind client.Object, name string) (cache.Cache, error) {
	named, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme:     mgr.GetScheme(),
		Mapper:     mgr.GetRESTMapper(),
		HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{
			kind: {Field: fields.OneTermEqualSelector("metadata.name", name)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("create cache of objects named %s: %w", name, err)
	}
	if err := mgr.Add(named); err != nil {
		return nil, fmt.Errorf("add cache of objects named %s: %w", name, err)
	}
	return named, nil
}

// all names every Serverless resource: there are few, and those not in effect
// cost nothing.
func (r *ServerlessReconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	list := &v1alpha1.ServerlessList{}
	if err := r.Client.List(ctx, list); err != nil {
		log.FromContext(ctx).Error(err, "list Serverless resources")
		return nil
	}
	var requests []reconcile.Request
	for _, item := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&item)})
	}
	return requests
}

func deletions() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

func metadataOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}
