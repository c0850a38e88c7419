package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/health"
)

// registryFinalizer keeps the base registry Secret until its copies are gone
// (contract/functions.md 3.9).
const registryFinalizer = "serverless.kyma-project.io/finalizer-registry-config"

// NamespaceReconciler gives each namespace what Functions in it need: the
// service account and the registry's credentials, as copies of those in the
// base namespace (contract/functions.md 3.9).
type NamespaceReconciler struct {
	client.Client
	Applier *apply.Applier
	// Base is the namespace of the originals; Excluded get no copies.
	Base     string
	Excluded []string
	// RegistrySecret and ServiceAccount are the names of what is copied.
	RegistrySecret, ServiceAccount string
	Loop                           *health.Loop
}

// Reconcile brings one namespace's copies up to date, or, asked for the base
// namespace, takes care of the registry Secret's own life.
func (r *NamespaceReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var secret corev1.Secret
	if err := r.Get(ctx, client.ObjectKey{Namespace: r.Base, Name: r.RegistrySecret}, &secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if request.Name == r.Base {
		return ctrl.Result{}, r.keepUntilCopiesAreGone(ctx, &secret)
	}
	var namespace corev1.Namespace
	if err := r.Get(ctx, request.NamespacedName, &namespace); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if namespace.DeletionTimestamp != nil || secret.DeletionTimestamp != nil || slices.Contains(r.Excluded, namespace.Name) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, errors.Join(
		r.copySecret(ctx, &secret, namespace.Name),
		r.copyServiceAccount(ctx, namespace.Name),
	)
}

func (r *NamespaceReconciler) copySecret(ctx context.Context, base *corev1.Secret, namespace string) error {
	var current corev1.Secret
	err := r.Get(ctx, client.ObjectKey{Namespace: namespace, Name: base.Name}, &current)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read registry Secret of namespace %s: %w", namespace, err)
	}
	if current.Labels[v1alpha2.LabelManagedBy] == v1alpha2.ManagedByUser {
		return nil
	}
	_, err = r.Applier.Apply(ctx, &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: base.Name, Namespace: namespace,
			Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials},
		},
		Type: base.Type,
		Data: base.Data,
	})
	return err
}

func (r *NamespaceReconciler) copyServiceAccount(ctx context.Context, namespace string) error {
	var base corev1.ServiceAccount
	if err := r.Get(ctx, client.ObjectKey{Namespace: r.Base, Name: r.ServiceAccount}, &base); err != nil {
		return client.IgnoreNotFound(err)
	}
	_, err := r.Applier.Apply(ctx, &corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{
			Name: base.Name, Namespace: namespace,
			Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigServiceAccount},
		},
		ImagePullSecrets:             base.ImagePullSecrets,
		AutomountServiceAccountToken: base.AutomountServiceAccountToken,
	})
	return err
}

// keepUntilCopiesAreGone holds the base Secret by a finalizer, and on its
// deletion deletes the copies first.
func (r *NamespaceReconciler) keepUntilCopiesAreGone(ctx context.Context, secret *corev1.Secret) error {
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

// SetupWithManager has the reconciler called for each namespace, and for all
// of them when an original changes.
func (r *NamespaceReconciler) SetupWithManager(mgr ctrl.Manager) error {
	copied := handler.EnqueueRequestsFromMapFunc(r.namespacesOf)
	return ctrl.NewControllerManagedBy(mgr).
		Named("namespace").
		For(&corev1.Namespace{}).
		Watches(&corev1.Secret{}, copied).
		Watches(&corev1.ServiceAccount{}, copied).
		WithOptions(controller.Options{ReconciliationTimeout: ReconciliationTimeout}).
		Complete(r.Loop.Watch(r))
}

// namespacesOf are the namespaces that an original or a copy concerns.
func (r *NamespaceReconciler) namespacesOf(ctx context.Context, object client.Object) []reconcile.Request {
	if object.GetName() != r.RegistrySecret && object.GetName() != r.ServiceAccount {
		return nil
	}
	if object.GetNamespace() != r.Base {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: object.GetNamespace()}}}
	}
	var namespaces corev1.NamespaceList
	if err := r.List(ctx, &namespaces); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list namespaces to reconcile")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(namespaces.Items))
	for i := range namespaces.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Name: namespaces.Items[i].Name}})
	}
	return requests
}
