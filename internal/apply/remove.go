package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Remove deletes the object of the name, if the owner controls it. One that
// the cache doesn't have yet is deleted once it has: its arrival is an event.
func (a *Applier) Remove(ctx context.Context, owner metav1.Object, object client.Object) error {
	err := a.Client.Get(ctx, client.ObjectKeyFromObject(object), object)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read %T %s: %w", object, object.GetName(), err)
	}
	if err != nil || object.GetDeletionTimestamp() != nil || !metav1.IsControlledBy(object, owner) {
		return nil
	}
	same := client.Preconditions{UID: ptr.To(object.GetUID())}
	if err := client.IgnoreNotFound(a.Client.Delete(ctx, object, same, client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
		return fmt.Errorf("delete %T %s: %w", object, object.GetName(), err)
	}
	return nil
}
