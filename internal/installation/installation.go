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
// those no longer rendered. What is equal already is not written.
func (i *Installation) Apply(ctx context.Context, rendered []*unstructured.Unstructured) error {
	Stamp(rendered)
	if err := i.makeWay(ctx, rendered); err != nil {
		return err
	}
	for _, stage := range stages(rendered) {
		if _, err := i.server.ApplyAll(ctx, stage, applyOptions()); err != nil {
			return fmt.Errorf("apply objects: %w", err)
		}
	}
	found, err := i.inventory(ctx, i.observed)
	if err != nil {
		return err
	}
	for _, object := range surplus(found, rendered) {
		if err := i.delete(ctx, &object); err != nil {
			return err
		}
	}
	return nil
}

// stages parts objects into those that must be there before others can be
// checked, and the others: the API server refuses a binding, even to try it,
// as long as the role is not there to compare with the operator's permissions.
func stages(rendered []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	var definitions, others []*unstructured.Unstructured
	for _, object := range rendered {
		switch object.GetKind() {
		case "CustomResourceDefinition", "ClusterRole", "Role", "PriorityClass":
			definitions = append(definitions, object)
		default:
			others = append(others, object)
		}
	}
	return [][]*unstructured.Unstructured{definitions, others}
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
	if object.DeletionTimestamp != nil {
		return nil
	}
	uid := object.UID
	err := i.live.Delete(ctx, object,
		client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete %s %s: %w", object.Kind, client.ObjectKeyFromObject(object), err)
	}
	return nil
}
