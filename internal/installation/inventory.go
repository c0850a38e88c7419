package installation

import (
	"context"
	"fmt"

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

// inventory lists the objects of the installation.
func inventory(ctx context.Context, reader client.Reader) ([]metav1.PartialObjectMetadata, error) {
	var found []metav1.PartialObjectMetadata
	for _, kind := range Kinds {
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
