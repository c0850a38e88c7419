package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/ssa/utils"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/module"
)

// formerInventory is where the original implementation keeps the manifest that
// it applied last (contract/functions.md 1.3).
var formerInventory = client.ObjectKey{Namespace: "kyma-system", Name: "serverless-manifest-cache"}

// formerInterval is how often the original's builds are looked at that still run.
const formerInterval = time.Minute

// FormerInventoryError says that what the original kept of its manifest can't be read.
type FormerInventoryError struct{ Err error }

func (e *FormerInventoryError) Error() string {
	return fmt.Sprintf("the list of former objects in Secret %s can't be read, so that some may be left: "+
		"look for objects with the label app.kubernetes.io/instance=%s that are not in use: %v", formerInventory, module.Release, e.Err)
}

// Unwrap returns what is wrong with it.
func (e *FormerInventoryError) Unwrap() error { return e.Err }

// RemoveFormer deletes what the original implementation and its successor left
// and what isn't rendered. It is to be called when all that is rendered is
// ready. It returns the time after which to call it again, if something has to
// end by itself. A FormerInventoryError doesn't keep it from the rest.
//
// Who has the module from the start pays for one look at each start of the operator.
func (i *Installation) RemoveFormer(ctx context.Context, namespace string, rendered []*unstructured.Unstructured) (time.Duration, error) {
	if i.formerGone.Load() {
		return 0, nil
	}
	var unreadable *FormerInventoryError
	former, err := i.former(ctx, namespace)
	if err != nil && !errors.As(err, &unreadable) {
		return 0, err
	}
	for _, object := range surplus(former, rendered) {
		if err := i.delete(ctx, &object); err != nil {
			return 0, err
		}
	}
	running, err := i.removeFormerBuilds(ctx)
	if err != nil {
		return 0, err
	}
	if running {
		return formerInterval, nil
	}
	// Builds that run may still have to mount them.
	if err := i.removeRuntimes(ctx); err != nil {
		return 0, err
	}
	// Last, as an operator that is stopped before has to start over.
	if err := i.removeFormerInventory(ctx); err != nil {
		return 0, err
	}
	i.formerGone.Store(true)
	if unreadable != nil {
		return 0, unreadable
	}
	return 0, nil
}

// former are the objects in the cluster that the original or its successor
// applied. A FormerInventoryError comes with those that are known nevertheless.
func (i *Installation) former(ctx context.Context, namespace string) ([]metav1.PartialObjectMetadata, error) {
	secret := &corev1.Secret{}
	err := i.live.Get(ctx, formerInventory, secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get Secret %s: %w", formerInventory, err)
	}
	known := formerNames(namespace)
	var unreadable error
	if err == nil {
		listed, err := formerObjects(secret.Data["spec"], namespace)
		if err != nil {
			unreadable = &FormerInventoryError{Err: err}
		}
		known = append(known, listed...)
	}
	found, err := i.liveApplied(ctx, known)
	return found, errors.Join(err, unreadable)
}

// liveApplied returns those of the named objects that are there, and that an
// operator applied: others may have made one of the same name.
func (i *Installation) liveApplied(ctx context.Context, named []metav1.PartialObjectMetadata) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	seen := map[identity]bool{}
	for _, object := range named {
		kind, key := object.GroupVersionKind(), client.ObjectKeyFromObject(&object)
		if seen[identityOf(kind, &object)] {
			continue
		}
		seen[identityOf(kind, &object)] = true
		err := i.live.Get(ctx, key, &object)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("get former %s %s: %w", kind.Kind, key, err)
		}
		if applied(&object) {
			object.SetGroupVersionKind(kind)
			found = append(found, object)
		}
	}
	return found, nil
}

// removeRuntimes deletes the Dockerfiles of the original's builds, and their
// copies in all namespaces.
func (i *Installation) removeRuntimes(ctx context.Context) error {
	runtimes, err := i.copies(ctx, corev1.SchemeGroupVersion.WithKind("ConfigMap"), module.ConfigRuntime)
	if err != nil {
		return err
	}
	for _, object := range runtimes {
		if !strings.HasPrefix(object.Name, "dockerfile-") {
			continue
		}
		if err := i.delete(ctx, &object); err != nil {
			return err
		}
	}
	return nil
}

func (i *Installation) removeFormerInventory(ctx context.Context) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: formerInventory.Namespace, Name: formerInventory.Name}}
	if err := client.IgnoreNotFound(i.live.Delete(ctx, secret)); err != nil {
		return fmt.Errorf("delete Secret %s: %w", formerInventory, err)
	}
	return nil
}

// formerObjects are those that the original's record lists, by name. Kinds that
// no chart of ours has are left out, and so are CRDs: what users made goes with them.
func formerObjects(record []byte, namespace string) ([]metav1.PartialObjectMetadata, error) {
	var content struct{ Manifest string }
	if err := json.Unmarshal(record, &content); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	listed, err := utils.ReadObjects(strings.NewReader(content.Manifest))
	if err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	var objects []metav1.PartialObjectMetadata
	for _, object := range listed {
		kind, known := kindOf(object.GroupVersionKind().GroupKind())
		if !known || kind.Kind == "CustomResourceDefinition" {
			continue
		}
		in := object.GetNamespace()
		if in == "" && !clusterScoped[kind.Kind] {
			in = namespace
		}
		objects = append(objects, named(kind, in, object.GetName()))
	}
	return objects, nil
}

// clusterScoped are the kinds of objects that are in no namespace.
var clusterScoped = map[string]bool{
	"ClusterRole": true, "ClusterRoleBinding": true, "PriorityClass": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
}

// kindOf is the kind in the version that we use.
func kindOf(kind schema.GroupKind) (schema.GroupVersionKind, bool) {
	all := slices.Concat(Kinds, OptionalKinds)
	index := slices.IndexFunc(all, func(ours schema.GroupVersionKind) bool { return ours.GroupKind() == kind })
	if index < 0 {
		return schema.GroupVersionKind{}, false
	}
	return all[index], true
}

// formerNames are objects of the original and of its successor that are known
// by their names (contract/functions.md 1.5, 7 and 11).
func formerNames(namespace string) []metav1.PartialObjectMetadata {
	configMap := corev1.SchemeGroupVersion.WithKind("ConfigMap")
	objects := []metav1.PartialObjectMetadata{
		named(configMap, namespace, "serverless-docker-registry-config"),
		// The dashboard's page of Functions.
		named(configMap, "kube-public", "functions"),
		// The successor's configuration of Functions.
		named(configMap, namespace, "serverless-config"),
	}
	policy, _ := kindOf(schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"})
	for _, name := range []string{"egress", "metrics", "to-apiserver", "to-dns"} {
		objects = append(objects, named(policy, namespace, "kyma-project.io--serverless-allow-"+name))
	}
	return objects
}

func named(kind schema.GroupVersionKind, namespace, name string) metav1.PartialObjectMetadata {
	object := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	object.SetGroupVersionKind(kind)
	return object
}
