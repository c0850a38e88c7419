package installation

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/fluxcd/pkg/ssa"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Installation is the module's objects in a cluster.
type Installation struct {
	live     client.Client
	observed client.Reader
	server   *ssa.ResourceManager
	// formerGone says that nothing is left of other implementations, so that
	// they are not looked for at each reconciliation.
	formerGone atomic.Bool
}

// New returns the installation in a cluster. live reads from the API server;
// observed may read from a cache that holds the metadata of what Selector
// selects.
func New(live client.Client, observed client.Reader) *Installation {
	return &Installation{
		live:     live,
		observed: observed,
		// The status poller is for waiting, which a reconciler does by watching.
		server: ssa.NewResourceManager(live, nil, ssa.Owner{Field: FieldManager}),
	}
}

// Apply makes the cluster's objects equal to the rendered ones and deletes
// those no longer rendered. What is equal already is not written. It returns
// what has to be gone first; until then nothing is applied.
func (i *Installation) Apply(ctx context.Context, rendered []*unstructured.Unstructured) (going []string, err error) {
	Stamp(rendered)
	if going, err = i.formerController(ctx, rendered); err != nil || len(going) > 0 {
		return going, err
	}
	if err := i.makeWay(ctx, rendered); err != nil {
		return nil, err
	}
	if err := i.applyStages(ctx, rendered); err != nil {
		return nil, err
	}
	found, err := i.inventory(ctx, i.observed)
	if err != nil {
		return nil, err
	}
	for _, object := range surplus(found, rendered) {
		if err := i.delete(ctx, &object); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// applyOptions let fields that someone added by kubectl go, too; by
// server-side apply alone they stay, as they are not ours. The exception is
// what `kubectl rollout restart` adds: to revert it would restart once more.
func applyOptions() ssa.ApplyOptions {
	options := ssa.DefaultApplyOptions()
	options.Cleanup.Annotations = []string{formerAnnotation}
	for _, manager := range []string{
		"kubectl-client-side-apply", "kubectl-edit", "kubectl-patch", "kubectl-set", "kubectl-label",
		"kubectl-annotate", "kubectl-scale", "kubectl-replace", "before-first-apply",
	} {
		options.Cleanup.FieldManagers = append(options.Cleanup.FieldManagers,
			ssa.FieldManager{Name: manager, ExactMatch: true, OperationType: metav1.ManagedFieldsOperationUpdate})
	}
	return options
}

// delete deletes the very object that was observed, if it is still there.
func (i *Installation) delete(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	return i.deleteBy(ctx, object, metav1.DeletePropagationBackground)
}

func (i *Installation) deleteBy(ctx context.Context, object *metav1.PartialObjectMetadata, propagation metav1.DeletionPropagation) error {
	if object.DeletionTimestamp != nil {
		return nil
	}
	uid := object.UID
	err := i.live.Delete(ctx, object,
		client.Preconditions{UID: &uid}, client.PropagationPolicy(propagation))
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete %s %s: %w", object.Kind, client.ObjectKeyFromObject(object), err)
	}
	return nil
}
