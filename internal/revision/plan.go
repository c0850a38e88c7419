package revision

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// defaultHistoryLimit is that of the schema.
const defaultHistoryLimit = 10

// Plan is what to do with a Function's revisions.
type Plan struct {
	// Create is a revision that isn't there yet, or nil.
	Create *appsv1.ControllerRevision
	// Update is a revision which is there and has to change, or nil.
	Update *appsv1.ControllerRevision
	// Delete are the revisions beyond the limit.
	Delete []appsv1.ControllerRevision
}

// NewPlan keeps the state, in which the Function was seen to work, as the
// newest of its revisions. A state that was there before gets a new number
// instead of a second revision.
func NewPlan(fn *v1alpha2.Function, working State, image string, existing []appsv1.ControllerRevision) Plan {
	others, newest := newestFirst(existing), int64(0)
	var current *appsv1.ControllerRevision
	others = slices.DeleteFunc(others, func(revision appsv1.ControllerRevision) bool {
		if revision.Name == working.Name {
			current = &revision
			return true
		}
		newest = max(newest, revision.Revision)
		return false
	})
	plan := Plan{Delete: others[min(len(others), limit(fn)):]}
	if current == nil {
		plan.Create = working.revision(fn, image, newest+1)
		return plan
	}
	if current.Revision <= newest {
		plan.Update = renewed(current, working.revision(fn, image, newest+1))
	} else if current.Annotations[AnnotationImage] != image {
		plan.Update = renewed(current, working.revision(fn, image, current.Revision))
	}
	return plan
}

// renewed is the existing revision with what the desired one has.
func renewed(existing, desired *appsv1.ControllerRevision) *appsv1.ControllerRevision {
	renewed := existing.DeepCopy()
	renewed.Revision, renewed.Labels = desired.Revision, desired.Labels
	for key, value := range desired.Annotations {
		metav1.SetMetaDataAnnotation(&renewed.ObjectMeta, key, value)
	}
	return renewed
}

// limit is how many revisions besides the current one are kept.
func limit(fn *v1alpha2.Function) int {
	return int(ptr.Deref(fn.Spec.RevisionHistoryLimit, defaultHistoryLimit))
}

func newestFirst(revisions []appsv1.ControllerRevision) []appsv1.ControllerRevision {
	return slices.SortedFunc(slices.Values(revisions), func(a, b appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Name, b.Name))
	})
}
