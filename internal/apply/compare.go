package apply

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// isAsDesired tells whether the same was applied last and nobody changed it since.
func isAsDesired(live client.Object, object *unstructured.Unstructured) (bool, error) {
	if live.GetAnnotations()[annotationApplied] != object.GetAnnotations()[annotationApplied] {
		return false, nil
	}
	current, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false, err
	}
	// The kind isn't in what a typed client reads.
	current["apiVersion"], current["kind"] = object.GetAPIVersion(), object.GetKind()
	return covers(current, object.Object), nil
}

// whole are the fields that server-side apply replaces as one, so that in
// them anything more than desired is a change, too.
var whole = map[string]bool{"selector": true, "labelSelector": true, "matchLabels": true, "metrics": true}

// covers tells whether the live value has all that is desired, and maybe more.
// Other than equality.Semantic.DeepDerivative it takes a desired false or 0
// for a wish, not for an omission: those are left out of the content already.
func covers(live, desired any) bool {
	switch desired := desired.(type) {
	case nil:
		return true
	case map[string]any:
		current, isMap := live.(map[string]any)
		for key, value := range desired {
			if !isMap || !covers(current[key], value) || whole[key] && size(current[key]) != size(value) {
				return false
			}
		}
		return true
	case []any:
		current, _ := live.([]any)
		return hasInOrder(current, desired)
	}
	return equality.Semantic.DeepEqual(live, desired)
}

// hasInOrder tells whether the live list has what is desired, in its order;
// what others put between, as sidecars, doesn't matter.
func hasInOrder(live, desired []any) bool {
	for _, value := range live {
		if len(desired) == 0 {
			break
		}
		if covers(value, desired[0]) {
			desired = desired[1:]
		}
	}
	return len(desired) == 0
}

func size(value any) int {
	switch value := value.(type) {
	case map[string]any:
		return len(value)
	case []any:
		return len(value)
	}
	return 0
}
