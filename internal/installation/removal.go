package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/module"
)

// obsoleteInterval is how long one attempt may take to remove what is
// obsolete, and how often it is tried.
const obsoleteInterval = 10 * time.Second

// Functions tells how many Functions there are in the cluster, and names the
// first of them. They are not watched: a watch would hold all of them in memory
// all the time, for a question that is asked only while the module is being
// uninstalled.
func (i *Installation) Functions(ctx context.Context) (module.Functions, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha2.GroupVersion.WithKind("FunctionList"))
	err := i.live.List(ctx, list, client.Limit(module.NamedFunctions))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return module.Functions{}, nil
	}
	if err != nil {
		return module.Functions{}, fmt.Errorf("count Functions: %w", err)
	}
	functions := module.Functions{Count: len(list.Items)}
	if list.RemainingItemCount != nil {
		functions.Count += int(*list.RemainingItemCount)
	}
	for _, item := range list.Items {
		functions.First = append(functions.First, item.Namespace+"/"+item.Name)
	}
	return functions, nil
}

// Remove deletes what belongs to the installation in a namespace, one step
// further each time it is called. It returns how far that is.
//
// Secrets go first: with them the function controller removes its copies,
// while it still runs. CRDs go when nothing else is left, as Functions go with
// their definition.
func (i *Installation) Remove(ctx context.Context, namespace string) (module.Removal, error) {
	found, err := i.everything(ctx, namespace)
	if err != nil {
		return module.Removal{}, err
	}
	secrets, definitions, others := inOrderOfRemoval(found)
	if len(secrets) > 0 {
		return i.step(ctx, module.RemovalOfSecrets, secrets, i.releaseIfAbandoned)
	}
	if len(others) > 0 {
		return i.step(ctx, module.RemovalOfAll, others, i.delete)
	}
	if len(definitions) > 0 {
		return i.removeDefinitions(ctx, definitions)
	}
	copies, err := i.allCopies(ctx)
	if err != nil {
		return module.Removal{}, err
	}
	if len(copies) > 0 {
		return i.step(ctx, module.RemovalOfAll, copies, i.delete)
	}
	// Who installs the module again may have had another one between.
	i.formerGone.Store(false)
	return module.Removal{}, i.removeRest(ctx, namespace)
}

// everything is the inventory with what was there before it, if the module is
// uninstalled before an upgrade from another implementation has ended.
func (i *Installation) everything(ctx context.Context, namespace string) ([]metav1.PartialObjectMetadata, error) {
	found, err := i.inventory(ctx, i.live)
	if err != nil {
		return nil, err
	}
	former, err := i.former(ctx, namespace)
	var unreadable *FormerInventoryError
	if err != nil && !errors.As(err, &unreadable) {
		return nil, err
	}
	known := map[identity]bool{}
	for _, object := range found {
		known[identityOf(object.GroupVersionKind(), &object)] = true
	}
	for _, object := range former {
		if !known[identityOf(object.GroupVersionKind(), &object)] {
			found = append(found, object)
		}
	}
	return found, nil
}

func inOrderOfRemoval(found []metav1.PartialObjectMetadata) (secrets, definitions, others []metav1.PartialObjectMetadata) {
	for _, object := range found {
		switch object.Kind {
		case "Secret":
			secrets = append(secrets, object)
		case "CustomResourceDefinition":
			definitions = append(definitions, object)
		default:
			others = append(others, object)
		}
	}
	return secrets, definitions, others
}

// step deletes objects, and tells which of them is held.
func (i *Installation) step(ctx context.Context, step module.RemovalStep, objects []metav1.PartialObjectMetadata, remove func(context.Context, *metav1.PartialObjectMetadata) error) (module.Removal, error) {
	for _, object := range objects {
		if err := remove(ctx, &object); err != nil {
			return module.Removal{}, err
		}
	}
	return module.RemovalOf(step, objects), nil
}

// removeDefinitions deletes CRDs, unless a Function has come since Functions
// were counted: it would go with its definition.
func (i *Installation) removeDefinitions(ctx context.Context, definitions []metav1.PartialObjectMetadata) (module.Removal, error) {
	functions, err := i.Functions(ctx)
	if err != nil {
		return module.Removal{}, err
	}
	if functions.Count > 0 {
		return module.Removal{Step: module.RemovalOfAll}, nil
	}
	return i.step(ctx, module.RemovalOfAll, definitions, i.delete)
}

// releaseIfAbandoned deletes a Secret. If the function controller, which holds
// it until the copies are gone, doesn't run, the copies are deleted in its place.
func (i *Installation) releaseIfAbandoned(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
	if secret.DeletionTimestamp == nil {
		return i.delete(ctx, secret)
	}
	if !slices.Contains(secret.Finalizers, module.RegistryFinalizer) {
		return nil
	}
	runs, err := i.controllerRuns(ctx, secret.Namespace)
	if err != nil || runs {
		return err
	}
	copies, err := i.copies(ctx, corev1.SchemeGroupVersion.WithKind("Secret"), module.ConfigCredentials)
	if err != nil {
		return err
	}
	for _, object := range copies {
		if err := i.delete(ctx, &object); err != nil {
			return err
		}
	}
	former := secret.DeepCopy()
	controllerutil.RemoveFinalizer(secret, module.RegistryFinalizer)
	err = i.live.Patch(ctx, secret, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer %s of Secret %s: %w", module.RegistryFinalizer, client.ObjectKeyFromObject(secret), err)
	}
	return nil
}

// controllerRuns tells if a function controller is there to remove its finalizers.
func (i *Installation) controllerRuns(ctx context.Context, namespace string) (bool, error) {
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: namespace, Name: module.ControllerName}
	if err := i.live.Get(ctx, key, deployment); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("get Deployment %s: %w", key, err)
	}
	return deployment.Status.AvailableReplicas > 0, nil
}

// allCopies are the objects that were copied to the namespaces of Functions,
// except what a user took over.
func (i *Installation) allCopies(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	var all []metav1.PartialObjectMetadata
	for _, copied := range []struct{ kind, config string }{
		{"Secret", module.ConfigCredentials},
		{"ServiceAccount", module.ConfigServiceAccount},
		{"ConfigMap", module.ConfigRuntime},
	} {
		copies, err := i.copies(ctx, corev1.SchemeGroupVersion.WithKind(copied.kind), copied.config)
		if err != nil {
			return nil, err
		}
		all = append(all, copies...)
	}
	return all, nil
}

// removeRest deletes what programs made for themselves: the function
// controllers' lease, and the inventory of the original implementation.
func (i *Installation) removeRest(ctx context.Context, namespace string) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: module.ControllerLeaseName}}
	if err := client.IgnoreNotFound(i.live.Delete(ctx, lease)); err != nil {
		return fmt.Errorf("delete lease %s: %w", client.ObjectKeyFromObject(lease), err)
	}
	return i.removeFormerInventory(ctx)
}

func (i *Installation) copies(ctx context.Context, kind schema.GroupVersionKind, config string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := i.live.List(ctx, list, client.MatchingLabels{module.ConfigLabel: config}); err != nil {
		return nil, fmt.Errorf("list copies of kind %s: %w", kind.Kind, err)
	}
	var copies []metav1.PartialObjectMetadata
	for _, item := range list.Items {
		// Others' Secrets may bear the label, too; copies are named like their original.
		ours := kind.Kind != "Secret" || item.Name == module.RegistrySecretName
		if ours && item.Labels[module.CopyOwnerLabel] != module.CopyOwnerUser {
			item.SetGroupVersionKind(kind)
			copies = append(copies, item)
		}
	}
	return copies, nil
}

// RemoveObsolete deletes the GitRepository CRD, which Functions of old referred
// to and which nothing reads any more. It tries until it succeeds or the
// context ends: no installation waits for it.
func (i *Installation) RemoveObsolete(ctx context.Context) error {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	crd.SetName("gitrepositories.serverless.kyma-project.io")
	remove := func(ctx context.Context) (done bool, _ error) {
		attempt, cancel := context.WithTimeout(ctx, obsoleteInterval)
		defer cancel()
		if err := client.IgnoreNotFound(i.live.Delete(attempt, crd)); err != nil {
			log.FromContext(ctx).Error(err, "delete obsolete CRD", "name", crd.Name)
			return false, nil
		}
		return true, nil
	}
	err := wait.PollUntilContextCancel(ctx, obsoleteInterval, true, remove)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
