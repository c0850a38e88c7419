package installation

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// namedRefusals is how many refused objects an error names.
const namedRefusals = 3

// stages parts objects into those that must be there before others can be
// checked, the others, and the Deployments, which need those: the API server
// refuses a binding, even to try it, as long as the role is not there to
// compare with the operator's permissions.
func stages(rendered []*unstructured.Unstructured) (definitions, others, deployments []*unstructured.Unstructured) {
	for _, object := range rendered {
		switch object.GetKind() {
		case "CustomResourceDefinition", "ClusterRole", "Role", "PriorityClass":
			definitions = append(definitions, object)
		case "Deployment":
			deployments = append(deployments, object)
		default:
			others = append(others, object)
		}
	}
	return definitions, others, deployments
}

// applyStages applies all objects. One that the API server refuses doesn't
// hold up the others.
func (i *Installation) applyStages(ctx context.Context, rendered []*unstructured.Unstructured) error {
	definitions, others, deployments := stages(rendered)
	var refused []error
	for _, stage := range [][]*unstructured.Unstructured{definitions, others} {
		of, err := i.applyStage(ctx, stage)
		if err != nil {
			return err
		}
		refused = append(refused, of...)
	}
	if len(refused) == 0 {
		// Not before: what is kept of a former one may be in it alone.
		if err := i.removeOtherPods(ctx, deployments); err != nil {
			return err
		}
	}
	of, err := i.applyStage(ctx, deployments)
	if err != nil {
		return err
	}
	return summarize(append(refused, of...))
}

// applyStage applies objects at once or, if one is refused, one by one. It
// returns why each was refused, or an error if nobody answered.
func (i *Installation) applyStage(ctx context.Context, stage []*unstructured.Unstructured) (refused []error, err error) {
	if _, err := i.server.ApplyAll(ctx, stage, applyOptions()); err == nil {
		return nil, nil
	}
	for _, object := range stage {
		_, err := i.server.Apply(ctx, object, applyOptions())
		if err != nil && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown {
			// Not refused: nobody will answer for the others, either.
			return nil, fmt.Errorf("apply objects: %w", err)
		}
		if err != nil {
			refused = append(refused, err)
		}
	}
	return refused, nil
}

// summarize names the first objects, and counts the others.
func summarize(refused []error) error {
	var summary error
	for _, err := range refused[:min(len(refused), namedRefusals)] {
		if summary == nil {
			summary = err
		} else {
			summary = fmt.Errorf("%w; %w", summary, err)
		}
	}
	if more := len(refused) - namedRefusals; more > 0 {
		return fmt.Errorf("%w; and %d more objects", summary, more)
	}
	return summary
}
