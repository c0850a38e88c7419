package revision_test

import (
	"errors"
	"strings"
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/revision"
)

func TestRevisionThatIsAskedFor(t *testing.T) {
	history := []kept{{"b", 2}, {"a", 1}, {"c", 3}}
	for name, test := range map[string]struct {
		existing []kept
		asked    string
		present  string
		want     string
	}{
		"by number":                                {history, "1", "c", "a"},
		"by name":                                  {history, "name of b", "c", "b"},
		"by number, with a blank":                  {history, " 2\n", "c", "b"},
		"the present one":                          {history, "3", "c", "c"},
		"the one before":                           {history, "previous", "c", "b"},
		"the one before, as kubectl says":          {history, "0", "c", "b"},
		"the last that worked":                     {history, "previous", "broken", "c"},
		"the one before, while going back":         {history, "previous", "a", "c"},
		"one that was never there":                 {history, "7", "c", "not found: 2, 1"},
		"one of another Function":                  {history, "payments-aaaaaaaaaa", "c", "not found: 2, 1"},
		"an empty wish, as a template may leave":   {history, "", "c", "not found: 2, 1"},
		"a number that isn't one":                  {history, "-1", "broken", "not found: 3, 2, 1"},
		"the one before the only one":              {[]kept{{"a", 1}}, "previous", "a", "not found: "},
		"the one before, where nothing worked yet": {nil, "0", "broken", "not found: "},
	} {
		t.Run(name, func(t *testing.T) {
			names := map[string]string{}
			existing := revisions(t, test.existing, names)
			asked := test.asked
			if source, byName := strings.CutPrefix(asked, "name of "); byName {
				asked = state(t, running(source)).Name
			}
			found, err := revision.Find(existing, asked, state(t, running(test.present)))
			got := ""
			var notFound *revision.NotFoundError
			if errors.As(err, &notFound) {
				var numbers []string
				for _, kept := range notFound.Kept {
					number, _, _ := strings.Cut(kept, " (orders-")
					numbers = append(numbers, number)
				}
				got = "not found: " + strings.Join(numbers, ", ")
			} else {
				got = names[found.Name]
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUnknownRevisionIsAnsweredWithThoseThatAreThere(t *testing.T) {
	names := map[string]string{}
	existing := revisions(t, []kept{{"a", 1}, {"b", 2}}, names)
	_, err := revision.Find(existing, "9", state(t, running("b")))
	want := `revision "9" is not kept; set annotation serverless.kyma-project.io/rollback-to to the number or the name of one that is, or to "previous": 1 (` + existing[0].Name + ")"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	_, err = revision.Find(nil, "9", state(t, running("b")))
	if err == nil || !strings.Contains(err.Error(), "nor is any other") {
		t.Errorf("got %v", err)
	}
}

func TestGoingBackKeepsTheNumberOfPodsAndOfRevisions(t *testing.T) {
	was := orders()
	was.Spec.Replicas, was.Spec.ScaleConfig, was.Spec.RevisionHistoryLimit = new(int32(1)), scaleConfig(1, 2), new(int32(3))
	was.Annotations = map[string]string{"kubernetes.io/change-cause": "greet"}
	kept := revision.NewPlan(was, state(t, was), "image", nil).Create

	now := running("broken")
	now.Spec.Env = nil
	now.Spec.Replicas, now.Spec.ScaleConfig, now.Spec.RevisionHistoryLimit = new(int32(7)), scaleConfig(5, 9), nil
	now.Annotations = map[string]string{"kubernetes.io/change-cause": "greet better", "other": "stays"}
	if err := revision.Restore(now, kept); err != nil {
		t.Fatal(err)
	}
	if now.Spec.Source.Inline.Source != was.Spec.Source.Inline.Source || state(t, now).Name != kept.Name {
		t.Errorf("not restored: %+v", now.Spec)
	}
	if *now.Spec.Replicas != 7 || *now.Spec.ScaleConfig.MaxReplicas != 9 || now.Spec.RevisionHistoryLimit != nil {
		t.Errorf("counts changed: %+v", now.Spec)
	}
	if now.Annotations["kubernetes.io/change-cause"] != "greet" || now.Annotations["other"] != "stays" {
		t.Errorf("annotations: %v", now.Annotations)
	}
	delete(kept.Annotations, "kubernetes.io/change-cause")
	if err := revision.Restore(now, kept); err != nil || now.Annotations["kubernetes.io/change-cause"] != "" {
		t.Errorf("another change's cause stays: %v, %v", now.Annotations, err)
	}
}

func TestRevisionThatCannotBeReadChangesNothing(t *testing.T) {
	fn := orders()
	kept := revision.NewPlan(fn, state(t, fn), "image", nil).Create
	kept.Data.Raw = []byte(`{"spec": 1}`)
	now := running("now")
	if err := revision.Restore(now, kept); err == nil || !strings.Contains(err.Error(), kept.Name) {
		t.Errorf("got %v", err)
	}
	if now.Spec.Source.Inline.Source != "now" || now.Spec.Runtime != v1alpha2.Runtime("nodejs22") {
		t.Errorf("changed: %+v", now.Spec)
	}
}
