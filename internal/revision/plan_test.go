package revision_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/revision"
)

// kept is a revision that holds the Function with the source.
type kept struct {
	source string
	number int64
}

func TestRevisionsThatAreKept(t *testing.T) {
	for name, test := range map[string]struct {
		existing []kept
		working  string
		image    string
		limit    *int32
		want     string
	}{
		"the first":                 {nil, "a", "a", nil, "create a=1"},
		"a new one":                 {[]kept{{"a", 1}}, "b", "b", nil, "create b=2"},
		"a new one after a gap":     {[]kept{{"a", 1}, {"b", 7}}, "c", "c", nil, "create c=8"},
		"the newest again":          {[]kept{{"b", 2}, {"a", 1}}, "b", "b", nil, ""},
		"an earlier one again":      {[]kept{{"b", 2}, {"a", 1}}, "a", "a", nil, "update a=3"},
		"numbers that are equal":    {[]kept{{"b", 2}, {"a", 2}}, "a", "a", nil, "update a=3"},
		"another image of the same": {[]kept{{"a", 1}}, "a", "rebased", nil, "update a=1"},
		"one beyond the limit":      {[]kept{{"c", 3}, {"b", 2}, {"a", 1}}, "d", "d", new(int32(2)), "create d=4 delete a"},
		"a limit that was lowered":  {[]kept{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}}, "d", "d", new(int32(1)), "delete b delete a"},
		"the oldest at the limit":   {[]kept{{"c", 3}, {"b", 2}, {"a", 1}}, "a", "a", new(int32(2)), "update a=4"},
		"no history":                {[]kept{{"a", 1}}, "b", "b", new(int32(0)), "create b=2 delete a"},
		"no history, going back":    {[]kept{{"b", 2}, {"a", 1}}, "a", "a", new(int32(0)), "update a=3 delete b"},
		"the default limit":         {numbered(12), "new", "new", nil, "create new=13 delete 2 delete 1"},
	} {
		t.Run(name, func(t *testing.T) {
			fn := running(test.working)
			fn.Spec.RevisionHistoryLimit = test.limit
			names := map[string]string{state(t, fn).Name: test.working}
			existing := revisions(t, test.existing, names)
			before := fmt.Sprint(existing)
			plan := revision.NewPlan(fn, state(t, fn), test.image, existing)
			if got := describe(plan, names); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if fmt.Sprint(existing) != before {
				t.Error("what was read has been changed")
			}
			for _, written := range []*appsv1.ControllerRevision{plan.Create, plan.Update} {
				if written != nil && written.Annotations[revision.AnnotationImage] != test.image {
					t.Errorf("image is %q, want %q", written.Annotations[revision.AnnotationImage], test.image)
				}
			}
		})
	}
}

func TestGoingBackKeepsTheCauseOfAChange(t *testing.T) {
	fn := running("a")
	existing := revisions(t, []kept{{"a", 1}, {"b", 2}}, map[string]string{})
	existing[0].Annotations["kubernetes.io/change-cause"] = "first"
	if got := revision.NewPlan(fn, state(t, fn), "a", existing).Update.Annotations["kubernetes.io/change-cause"]; got != "first" {
		t.Errorf("cause is %q", got)
	}
	fn.Annotations = map[string]string{"kubernetes.io/change-cause": "first again"}
	if got := revision.NewPlan(fn, state(t, fn), "a", existing).Update.Annotations["kubernetes.io/change-cause"]; got != "first again" {
		t.Errorf("cause is %q", got)
	}
}

func describe(plan revision.Plan, names map[string]string) string {
	var parts []string
	if plan.Create != nil {
		parts = append(parts, fmt.Sprintf("create %s=%d", names[plan.Create.Name], plan.Create.Revision))
	}
	if plan.Update != nil {
		parts = append(parts, fmt.Sprintf("update %s=%d", names[plan.Update.Name], plan.Update.Revision))
	}
	for _, deleted := range plan.Delete {
		parts = append(parts, "delete "+names[deleted.Name])
	}
	return strings.Join(parts, " ")
}

// running is the Function with the source.
func running(source string) *v1alpha2.Function {
	fn := orders()
	fn.Spec.Source.Inline.Source = source
	return fn
}

// revisions are as the API server has them; names gets what each one's source is.
func revisions(t *testing.T, all []kept, names map[string]string) []appsv1.ControllerRevision {
	t.Helper()
	var existing []appsv1.ControllerRevision
	for _, k := range all {
		fn := running(k.source)
		created := revision.NewPlan(fn, state(t, fn), k.source, nil).Create
		created.Revision = k.number
		names[created.Name] = k.source
		existing = append(existing, *created)
	}
	return existing
}

func numbered(count int64) []kept {
	var all []kept
	for number := range count {
		all = append(all, kept{fmt.Sprint(number + 1), number + 1})
	}
	slices.Reverse(all)
	return all
}
