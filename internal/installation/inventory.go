package installation

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// identity tells an object from all others, whatever its API version.
type identity struct {
	schema.GroupKind
	client.ObjectKey
}

func identityOf(kind schema.GroupVersionKind, object client.Object) identity {
	return identity{GroupKind: kind.GroupKind(), ObjectKey: client.ObjectKeyFromObject(object)}
}

// inventory lists the objects of the installation: those of Kinds as the
// reader has them, and the optional ones as they are now.
func (i *Installation) inventory(ctx context.Context, reader client.Reader) ([]metav1.PartialObjectMetadata, error) {
	found, err := listApplied(ctx, reader, Kinds)
	if err != nil {
		return nil, err
	}
	for _, kind := range OptionalKinds {
		optional, err := listApplied(ctx, i.live, []schema.GroupVersionKind{kind})
		if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
			return nil, err
		}
		found = append(found, optional...)
	}
	return found, nil
}

// listApplied lists the objects of the kinds that the operator applied.
func listApplied(ctx context.Context, reader client.Reader, kinds []schema.GroupVersionKind) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	for _, kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := reader.List(ctx, list, client.MatchingLabelsSelector{Selector: Selector()}); err != nil {
			return nil, fmt.Errorf("list objects of kind %s: %w", kind.Kind, err)
		}
		for _, item := range list.Items {
			if applied(&item) {
				item.SetGroupVersionKind(kind)
				found = append(found, item)
			}
		}
	}
	return found, nil
}

// surplus returns the objects of the inventory that are no longer rendered.
func surplus(found []metav1.PartialObjectMetadata, rendered []*unstructured.Unstructured) []metav1.PartialObjectMetadata {
	wanted := map[identity]bool{}
	for _, object := range rendered {
		wanted[identityOf(object.GroupVersionKind(), object)] = true
	}
	var surplus []metav1.PartialObjectMetadata
	for _, object := range found {
		if !wanted[identityOf(object.GroupVersionKind(), &object)] {
			surplus = append(surplus, object)
		}
	}
	return surplus
}
