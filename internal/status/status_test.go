package status_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/status"
)

var (
	before = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	now    = metav1.NewTime(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
)

func TestConditionsShowTheLastChangedFirst(t *testing.T) {
	configured := at(before, status.Condition("ConfigurationReady", "True", "ConfigMapCreated", "ConfigMap a created"))
	built := at(before, status.Condition("BuildReady", "Unknown", "JobCreated", "Job a created"))
	running := at(before, status.Condition("Running", "True", "DeploymentReady", "Deployment a is ready"))
	former := []v1alpha2.Condition{running, built, configured}

	newBuilt := status.Condition("BuildReady", "True", "JobFinished", "Image a is ready")
	newRunning := status.Condition("Running", "Unknown", "DeploymentUpdated", "Deployment a updated")
	newScaling := status.Condition("Running", "Unknown", "HorizontalPodAutoscalerCreated", "HorizontalPodAutoscaler a created")
	stillBuilding := status.Condition("BuildReady", "Unknown", "JobRunning", "Job a is still in progress")

	for name, test := range map[string]struct {
		former, reported, merged, changed []v1alpha2.Condition
	}{
		"nothing reported": {former: former, merged: former},
		"the same reported": {
			former: former, reported: []v1alpha2.Condition{status.Condition("BuildReady", "Unknown", "JobCreated", "Job a created")},
			merged: former,
		},
		"a first condition": {
			reported: []v1alpha2.Condition{newBuilt}, merged: []v1alpha2.Condition{at(now, newBuilt)}, changed: []v1alpha2.Condition{at(now, newBuilt)},
		},
		"two changed: the later step comes first, its event last": {
			former: former, reported: []v1alpha2.Condition{newBuilt, newRunning},
			merged:  []v1alpha2.Condition{at(now, newRunning), at(now, newBuilt), configured},
			changed: []v1alpha2.Condition{at(now, newBuilt), at(now, newRunning)},
		},
		"two of one type: both are events, the last stays": {
			former: former, reported: []v1alpha2.Condition{newRunning, newScaling},
			merged:  []v1alpha2.Condition{at(now, newScaling), built, configured},
			changed: []v1alpha2.Condition{at(now, newRunning), at(now, newScaling)},
		},
		"other reason of the same status keeps the time": {
			former: former, reported: []v1alpha2.Condition{stillBuilding},
			merged:  []v1alpha2.Condition{at(before, stillBuilding), running, configured},
			changed: []v1alpha2.Condition{at(before, stillBuilding)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			merged, changed := status.Merge(test.former, test.reported, now)
			if !slices.Equal(merged, test.merged) {
				t.Errorf("merged\n%v\nwant\n%v", merged, test.merged)
			}
			if !slices.Equal(changed, test.changed) {
				t.Errorf("changed\n%v\nwant\n%v", changed, test.changed)
			}
		})
	}
}

func TestStoredSourceKeepsItsConditionUntilItChanges(t *testing.T) {
	created := status.Condition("ConfigurationReady", "True", "ConfigMapCreated", "ConfigMap a created")
	updated := status.Condition("ConfigurationReady", "True", "ConfigMapUpdated", `Updated ConfigMap: "a"`)
	invalid := status.InvalidSpec("one is wrong", "two is wrong")
	if want := "one is wrong. two is wrong"; invalid.Message != want || invalid.Status != corev1.ConditionFalse {
		t.Errorf("got %+v, want False with %q", invalid, want)
	}
	for name, test := range map[string]struct {
		former *v1alpha2.Condition
		result apply.Result
		want   v1alpha2.Condition
	}{
		"first":                      {nil, apply.Created, created},
		"as it was":                  {&created, apply.Unchanged, created},
		"changed":                    {&created, apply.Updated, updated},
		"made valid again":           {&invalid, apply.Unchanged, updated},
		"stored, but status is lost": {nil, apply.Unchanged, updated},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.SourceStored(test.former, "a", test.result); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestChildIsReportedWhenItChanged(t *testing.T) {
	for name, test := range map[string]struct {
		kind   string
		result apply.Result
		want   []v1alpha2.Condition
	}{
		"nothing done":       {"Deployment", apply.Unchanged, nil},
		"Deployment created": {"Deployment", apply.Created, []v1alpha2.Condition{status.Condition("Running", "Unknown", "DeploymentCreated", "Deployment a created")}},
		"Service corrected":  {"Service", apply.Updated, []v1alpha2.Condition{status.Condition("Running", "Unknown", "ServiceUpdated", "Service a updated")}},
		"autoscaler created": {"HorizontalPodAutoscaler", apply.Created, []v1alpha2.Condition{
			status.Condition("Running", "Unknown", "HorizontalPodAutoscalerCreated", "HorizontalPodAutoscaler a created")}},
		"a kind without a reason": {"PodDisruptionBudget", apply.Created, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.Applied(test.kind, "a", test.result); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestChildThatIsNotAppliedIsNamedWithTheCause(t *testing.T) {
	refused := errors.New("closed")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"not created":     {&apply.WriteError{Kind: "Service", Name: "a", Attempted: apply.Created, Err: refused}, "Service a create error: closed"},
		"not updated":     {&apply.WriteError{Kind: "Service", Name: "a", Attempted: apply.Updated, Err: refused}, "Service a update error: closed"},
		"somebody else's": {&apply.ForeignError{Kind: "Service", Object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a"}}}, "Service a create error: Service shop/a exists and belongs to something else; delete it, or rename the owner of this one"},
		"not read, say":   {fmt.Errorf("read it: %w", refused), "read it: closed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.NotApplied(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestEventWarnsOfWhatIsFalse(t *testing.T) {
	for given, want := range map[corev1.ConditionStatus]string{"True": "Normal", "Unknown": "Normal", "False": "Warning"} {
		if got := status.EventType(v1alpha2.Condition{Status: given}); got != want {
			t.Errorf("event of %s is %s, want %s", given, got, want)
		}
	}
}

// The API server refuses an event with a longer note.
func TestNoteIsCutToWhatAnEventHolds(t *testing.T) {
	for name, test := range map[string]struct {
		message string
		length  int
	}{
		"short":                        {"fine", 4},
		"exactly as long as it may be": {strings.Repeat("x", 1024), 1024},
		"one too long":                 {strings.Repeat("x", 1025), 1024},
		"cut in the midst of a letter": {strings.Repeat("ü", 600), 1023},
		"cut in the midst of an emoji": {"x" + strings.Repeat("🙂", 600), 1024},
	} {
		t.Run(name, func(t *testing.T) {
			note := status.Note(test.message)
			if len(note) != test.length || !utf8.ValidString(note) {
				t.Errorf("%d bytes, valid %v; want %d bytes", len(note), utf8.ValidString(note), test.length)
			}
			if cut := len(test.message) > 1024; strings.HasSuffix(note, "…") != cut {
				t.Errorf("ends in %q", note[len(note)-4:])
			}
		})
	}
}

func at(time metav1.Time, condition v1alpha2.Condition) v1alpha2.Condition {
	condition.LastTransitionTime = time
	return condition
}
