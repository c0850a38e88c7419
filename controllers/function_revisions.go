package controllers

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/revision"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

// The reasons of events about revisions.
const (
	// reasonRevisionNotKept: the state runs, but can't be gone back to.
	reasonRevisionNotKept = "RevisionNotKept"
	// reasonRolledBack: the spec of an earlier revision was restored.
	reasonRolledBack = "RolledBack"
	// reasonRollbackNotFound: the revision asked for isn't kept.
	reasonRollbackNotFound = "RollbackRevisionNotFound"
	// reasonRollbackFailed: the revision's spec is refused.
	reasonRollbackFailed = "RollbackFailed"
)

// keepRevision records the state that works, and lets go of revisions beyond
// the limit. The status remembers what was recorded, so that the revisions of
// Functions at rest are neither read nor held in memory.
func (r *FunctionReconciler) keepRevision(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	if !found.works() {
		return nil
	}
	state, err := revision.StateOf(fn, found.status.Commit)
	if err != nil || recorded(fn, state, found.image) {
		return err
	}
	if problem := state.Check(); problem != nil {
		if fn.Status.CurrentRevision != "" || fn.Status.CurrentImage != found.image {
			r.tell(fn, corev1.EventTypeWarning, reasonRevisionNotKept, problem.Error())
		}
		found.status.CurrentRevision, found.status.CurrentImage = "", found.image
		return nil
	}
	existing, err := r.revisions(ctx, fn)
	if err != nil {
		return err
	}
	if err := r.writeRevisions(ctx, fn, revision.NewPlan(fn, state, found.image, existing)); err != nil {
		r.tell(fn, corev1.EventTypeWarning, reasonRevisionNotKept, err.Error())
		return err
	}
	found.status.CurrentRevision, found.status.CurrentImage = state.Name, found.image
	return nil
}

// works tells whether Pods of the image answer, and no others. A Function
// without Pods shows nothing.
func (r *report) works() bool {
	if r.image == "" || r.status.Replicas == 0 {
		return false
	}
	for _, condition := range r.conditions {
		if condition.Type == v1alpha2.ConditionRunning {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// recorded tells whether nothing happened since the state was recorded.
func recorded(fn *v1alpha2.Function, state revision.State, image string) bool {
	running := fn.Status.Condition(v1alpha2.ConditionRunning)
	return fn.Status.CurrentRevision == state.Name && fn.Status.CurrentImage == image &&
		fn.Status.ObservedGeneration == fn.Generation && running != nil && running.Status == corev1.ConditionTrue
}

// revisions reads the Function's revisions from the API server.
func (r *FunctionReconciler) revisions(ctx context.Context, fn *v1alpha2.Function) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	err := r.Applier.Live.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels(workload.InternalLabels(fn)))
	if err != nil {
		return nil, fmt.Errorf("list ControllerRevisions of Function: %w", err)
	}
	return list.Items, nil
}

func (r *FunctionReconciler) writeRevisions(ctx context.Context, fn *v1alpha2.Function, plan revision.Plan) error {
	if plan.Create != nil {
		if err := r.createRevision(ctx, fn, plan.Create); err != nil {
			return fmt.Errorf("create ControllerRevision %s: %w", plan.Create.Name, err)
		}
	}
	if plan.Update != nil {
		if err := r.Update(ctx, plan.Update); err != nil {
			return fmt.Errorf("update ControllerRevision %s: %w", plan.Update.Name, err)
		}
	}
	for i := range plan.Delete {
		if err := r.Delete(ctx, &plan.Delete[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete ControllerRevision %s: %w", plan.Delete[i].Name, err)
		}
	}
	return nil
}

// createRevision takes one that is there but was not listed, since somebody
// removed its labels, for its own.
func (r *FunctionReconciler) createRevision(ctx context.Context, fn *v1alpha2.Function, desired *appsv1.ControllerRevision) error {
	err := r.Create(ctx, desired)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	var live appsv1.ControllerRevision
	if err := r.Applier.Live.Get(ctx, client.ObjectKeyFromObject(desired), &live); err != nil {
		return err
	}
	if !metav1.IsControlledBy(&live, fn) {
		return &apply.ForeignError{Object: desired, Kind: "ControllerRevision"}
	}
	desired.ResourceVersion = live.ResourceVersion
	return r.Update(ctx, desired)
}

// rollBack replaces the spec by that of the revision which is asked for, and
// removes the wish, in one write. A wish that can't be met is removed, too.
func (r *FunctionReconciler) rollBack(ctx context.Context, fn *v1alpha2.Function, asked string) error {
	present, err := revision.StateOf(fn, fn.Status.Commit)
	if err != nil {
		return err
	}
	existing, err := r.revisions(ctx, fn)
	if err != nil {
		return err
	}
	target, err := revision.Find(existing, asked, present)
	if err != nil {
		return r.answer(ctx, fn, fn, corev1.EventTypeWarning, reasonRollbackNotFound, err.Error())
	}
	name := fmt.Sprintf("revision %d (%s)", target.Revision, target.Name)
	restored := fn.DeepCopy()
	if err = revision.Restore(restored, target); err == nil {
		err = r.answer(ctx, fn, restored, corev1.EventTypeNormal, reasonRolledBack, "Restored the spec of "+name)
		if !refused(err) {
			return err
		}
	}
	return r.answer(ctx, fn, fn, corev1.EventTypeWarning, reasonRollbackFailed, fmt.Sprintf("The spec of %s can't be restored: %v", name, err))
}

// answer writes the Function without the wish to roll back, and tells what
// came of it. If the Function was changed meanwhile, the newer one is on its way here.
func (r *FunctionReconciler) answer(ctx context.Context, former, fn *v1alpha2.Function, eventType, reason, message string) error {
	fn = fn.DeepCopy()
	delete(fn.Annotations, v1alpha2.AnnotationRollbackTo)
	err := r.Patch(ctx, fn, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}), client.FieldOwner(r.Applier.Manager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r.tell(fn, eventType, reason, message)
	return nil
}

// refused tells whether the API server, or who it asks, doesn't want the spec.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err)
}

// tell writes an event that isn't folded into others.
func (r *FunctionReconciler) tell(fn *v1alpha2.Function, eventType, reason, message string) {
	r.Recorder.Eventf(fn, nil, eventType, reason, reason+"@"+fn.ResourceVersion, "%s", status.Note(message))
}
