package revision

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Previous asks for the newest revision that isn't what the Function says
// now; so does 0, as with `kubectl rollout undo`.
const Previous = "previous"

// NotFoundError says that no revision is kept of the name or number.
type NotFoundError struct {
	Asked string
	// Kept are those to go back to, the newest first.
	Kept []string
}

func (e *NotFoundError) Error() string {
	if len(e.Kept) == 0 {
		return fmt.Sprintf("revision %q is not kept, nor is any other to go back to; a state is kept once all its Pods have been ready", e.Asked)
	}
	return fmt.Sprintf("revision %q is not kept; set annotation %s to the number or the name of one that is, or to %q: %s",
		e.Asked, v1alpha2.AnnotationRollbackTo, Previous, strings.Join(e.Kept, ", "))
}

// Find returns the revision that is asked for by number, by name, or as the
// previous one. Present is the state of the Function's spec. The error is a
// NotFoundError.
func Find(existing []appsv1.ControllerRevision, asked string, present State) (*appsv1.ControllerRevision, error) {
	asked = strings.TrimSpace(asked)
	notFound := &NotFoundError{Asked: asked}
	for _, revision := range newestFirst(existing) {
		number := strconv.FormatInt(revision.Revision, 10)
		other := revision.Name != present.Name
		if asked == number || asked == revision.Name || other && (asked == Previous || asked == "0") {
			return &revision, nil
		}
		if other {
			notFound.Kept = append(notFound.Kept, fmt.Sprintf("%s (%s)", number, revision.Name))
		}
	}
	return nil, notFound
}

// Restore takes the Function back to the revision: its spec, but for the
// number of Pods and of revisions, and the cause that users gave for it.
func Restore(fn *v1alpha2.Function, revision *appsv1.ControllerRevision) error {
	var kept record
	if err := json.Unmarshal(revision.Data.Raw, &kept); err != nil {
		return fmt.Errorf("read ControllerRevision %s: %w", revision.Name, err)
	}
	fn.Spec = withCountsOf(kept.Spec, fn.Spec)
	delete(fn.Annotations, annotationChangeCause)
	if cause := revision.Annotations[annotationChangeCause]; cause != "" {
		metav1.SetMetaDataAnnotation(&fn.ObjectMeta, annotationChangeCause, cause)
	}
	return nil
}
