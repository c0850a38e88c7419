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

// applyStages applies all objects. One that the API server refuses doesn't
// hold up the others.
func (i *Installation) applyStages(ctx context.Context, stages [][]*unstructured.Unstructured) error {
	var refused []error
	for _, stage := range stages {
		// At once, if nothing is refused; that is the fast way.
		if _, err := i.server.ApplyAll(ctx, stage, applyOptions()); err == nil {
			continue
		}
		for _, object := range stage {
			_, err := i.server.Apply(ctx, object, applyOptions())
			if err != nil && apierrors.ReasonForError(err) == metav1.StatusReasonUnknown {
				// Not refused: nobody answered, and nobody will for the others.
				return fmt.Errorf("apply objects: %w", err)
			}
			if err != nil {
				refused = append(refused, err)
			}
		}
	}
	return summarize(refused)
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
