package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeOver makes us the owner of all that others wrote into the object's spec
// and metadata, so that the next apply removes what isn't desired. It is for
// edits that can't stay beside ours, as a probe of another kind or a second
// port of the same name; server-side apply alone would keep both, for ever
// invalid.
func (a *Applier) takeOver(ctx context.Context, object *unstructured.Unstructured) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	// The cache has no managed fields.
	if err := a.Live.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return fmt.Errorf("read it to take over others' fields: %w", err)
	}
	others := sets.New[string]()
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource == "" && entry.Operation == metav1.ManagedFieldsOperationUpdate {
			others.Insert(entry.Manager)
		}
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, others, a.Manager)
	if err != nil || patch == nil {
		return err
	}
	if err := a.Client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("take over others' fields: %w", err)
	}
	return nil
}
