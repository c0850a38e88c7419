package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/health"
	"kyma-project.io/serverless/internal/module"
)

// registryFinalizer keeps the base registry Secret until its copies are gone
// (contract/functions.md 3.9).
const registryFinalizer = module.RegistryFinalizer

// NamespaceReconciler sets up a namespace when its first Function comes, and
// clears it after the last one (docs/decisions/namespace-setup.md).
type NamespaceReconciler struct {
	*NamespaceSetup
	Loop *health.Loop
}

// Reconcile brings one namespace's copies up to date, or, asked for the base
// namespace, takes care of the registry Secret's own life.
func (r *NamespaceReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request.Name == r.Base {
		return ctrl.Result{}, r.keepUntilCopiesAreGone(ctx)
	}
	used, err := r.hasFunctions(ctx, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !used {
		return ctrl.Result{}, r.Withdraw(ctx, request.Name)
	}
	_, err = r.Provide(ctx, request.Name)
	var missing *MissingOriginalError
	var excluded *ExcludedError
	if errors.As(err, &missing) || errors.As(err, &excluded) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// Its Functions say so.
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, err
}

func (r *NamespaceReconciler) hasFunctions(ctx context.Context, namespace string) (bool, error) {
	var functions v1alpha2.FunctionList
	if err := r.List(ctx, &functions, client.InNamespace(namespace), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("look for Functions of namespace %s: %w", namespace, err)
	}
	return len(functions.Items) > 0, nil
}

// keepUntilCopiesAreGone holds the base Secret by a finalizer, and on its
// deletion deletes the copies first.
func (r *NamespaceReconciler) keepUntilCopiesAreGone(ctx context.Context) error {
	secret := &corev1.Secret{}
	if err := r.Get(ctx, client.ObjectKey{Namespace: r.Base, Name: r.RegistrySecret}, secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	former := secret.DeepCopy()
	if secret.DeletionTimestamp == nil {
		if !controllerutil.AddFinalizer(secret, registryFinalizer) {
			return nil
		}
		return r.Patch(ctx, secret, client.MergeFrom(former))
	}
	var copies corev1.SecretList
	if err := r.List(ctx, &copies, client.MatchingLabels{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials}); err != nil {
		return fmt.Errorf("list copies of registry Secret: %w", err)
	}
	for i := range copies.Items {
		current := &copies.Items[i]
		if current.Name != secret.Name || current.Namespace == r.Base || current.Labels[v1alpha2.LabelManagedBy] == v1alpha2.ManagedByUser {
			continue
		}
		if err := r.Delete(ctx, current); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete registry Secret of namespace %s: %w", current.Namespace, err)
		}
	}
	if !controllerutil.RemoveFinalizer(secret, registryFinalizer) {
		return nil
	}
	return client.IgnoreNotFound(r.Patch(ctx, secret, client.MergeFrom(former)))
}

// setupWorkers set up namespaces at once: a thousand may get their first Function in one go.
const setupWorkers = 4

// SetupWithManager has the reconciler called for each namespace when Functions
// come and go there, when somebody changes a copy, and for all that have
// Functions when an original changes.
func (r *NamespaceReconciler) SetupWithManager(mgr ctrl.Manager) error {
	copied := handler.EnqueueRequestsFromMapFunc(r.namespacesOf)
	comesOrGoes := predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
	return ctrl.NewControllerManagedBy(mgr).
		Named("namespace").
		Watches(&v1alpha2.Function{}, handler.EnqueueRequestsFromMapFunc(namespaceOf), builder.WithPredicates(comesOrGoes)).
		Watches(&corev1.Secret{}, copied).
		Watches(&corev1.ServiceAccount{}, copied).
		WithOptions(controller.Options{MaxConcurrentReconciles: setupWorkers, ReconciliationTimeout: ReconciliationTimeout}).
		Complete(r.Loop.Watch(r))
}

func namespaceOf(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: object.GetNamespace()}}}
}

// namespacesOf are the namespaces that an original or a copy concerns.
func (r *NamespaceReconciler) namespacesOf(ctx context.Context, object client.Object) []reconcile.Request {
	if object.GetName() != r.RegistrySecret && object.GetName() != r.ServiceAccount {
		return nil
	}
	requests := namespaceOf(ctx, object)
	if object.GetNamespace() != r.Base {
		return requests
	}
	// An original changes rarely enough to look at all Functions.
	var functions v1alpha2.FunctionList
	if err := r.List(ctx, &functions, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list Functions, whose namespaces are to be reconciled")
		return requests
	}
	seen := map[string]bool{}
	for i := range functions.Items {
		if namespace := functions.Items[i].Namespace; !seen[namespace] {
			seen[namespace] = true
			requests = append(requests, namespaceOf(ctx, &functions.Items[i])...)
		}
	}
	return requests
}
