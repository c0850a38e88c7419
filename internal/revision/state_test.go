package revision_test

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/revision"
)

func TestStateIsWhatRunsNotHowManyOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha2.FunctionSpec)
		other  bool
	}{
		"nothing":                {func(*v1alpha2.FunctionSpec) {}, false},
		"replicas":               {func(s *v1alpha2.FunctionSpec) { s.Replicas = new(int32(5)) }, false},
		"scaling bounds":         {func(s *v1alpha2.FunctionSpec) { s.ScaleConfig = scaleConfig(1, 9) }, false},
		"history limit":          {func(s *v1alpha2.FunctionSpec) { s.RevisionHistoryLimit = new(int32(1)) }, false},
		"another way to say 0.5": {func(s *v1alpha2.FunctionSpec) { s.ResourceConfiguration = cpu("0.5") }, false},
		"source":                 {func(s *v1alpha2.FunctionSpec) { s.Source.Inline.Source = "other" }, true},
		"dependencies":           {func(s *v1alpha2.FunctionSpec) { s.Source.Inline.Dependencies = "{}" }, true},
		"runtime":                {func(s *v1alpha2.FunctionSpec) { s.Runtime = "nodejs24" }, true},
		"base image":             {func(s *v1alpha2.FunctionSpec) { s.RuntimeImageOverride = "image:1" }, true},
		"environment":            {func(s *v1alpha2.FunctionSpec) { s.Env = []corev1.EnvVar{{Name: "A"}} }, true},
		"size":                   {func(s *v1alpha2.FunctionSpec) { s.ResourceConfiguration = cpu("1") }, true},
		"mounted Secrets":        {func(s *v1alpha2.FunctionSpec) { s.SecretMounts = []v1alpha2.SecretMount{{SecretName: "a"}} }, true},
		"labels of Pods":         {func(s *v1alpha2.FunctionSpec) { s.Labels = map[string]string{"a": "b"} }, true},
		"annotations of Pods":    {func(s *v1alpha2.FunctionSpec) { s.Annotations = map[string]string{"a": "b"} }, true},
		"security settings": {func(s *v1alpha2.FunctionSpec) {
			s.PodSecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1<<62 + 1))}
		}, true},
		"security of a container": {func(s *v1alpha2.FunctionSpec) { s.ContainerSecurityContext = &corev1.SecurityContext{} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := orders()
			before.Spec.ResourceConfiguration = cpu("500m")
			after := before.DeepCopy()
			test.change(&after.Spec)
			if got := state(t, before).Name != state(t, after).Name; got != test.other {
				t.Errorf("another state: %v, want %v", got, test.other)
			}
		})
	}
}

func TestNameOfAStateIsTheSameInEachRelease(t *testing.T) {
	if got := state(t, orders()).Name; got != "orders-2c7svz2x7p" {
		t.Errorf("%s: all Functions would get a second revision of what they run; is that meant?", got)
	}
}

func TestFunctionsOfOneNameHaveStatesOfTheirOwn(t *testing.T) {
	former, fn := orders(), orders()
	former.UID = "before"
	if state(t, former).Name == state(t, fn).Name {
		t.Error("the new Function takes the former one's revision for its own")
	}
}

func TestGitSourceIsInAnotherStateAtEachCommit(t *testing.T) {
	fn := orders()
	fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
		URL: "https://git.example/a", Repository: v1alpha2.Repository{BaseDir: "/", Reference: "main"}}}
	first, second := stateAt(t, fn, "1111"), stateAt(t, fn, "2222")
	if first.Name == second.Name {
		t.Error("two commits are one state")
	}
	if fn.Spec.Source.GitRepository.Reference != "main" {
		t.Error("the Function was changed")
	}
	kept := revision.NewPlan(fn, first, "image", nil).Create
	restored := fn.DeepCopy()
	if err := revision.Restore(restored, kept); err != nil {
		t.Fatal(err)
	}
	if got := restored.Spec.Source.GitRepository.Reference; got != "1111" {
		t.Errorf("going back follows %s, and so comes to a newer commit", got)
	}
	if stateAt(t, restored, "1111").Name != first.Name {
		t.Error("going back to a commit makes a second revision of it")
	}
}

func TestRevisionHasAllThatIsNeededToRunIt(t *testing.T) {
	fn := orders()
	fn.Labels = map[string]string{"team": "shop"}
	fn.Annotations = map[string]string{"kubernetes.io/change-cause": "greet politely"}
	kept := revision.NewPlan(fn, state(t, fn), "registry/orders@sha256:1", nil).Create
	var data map[string]any
	if err := json.Unmarshal(kept.Data.Raw, &data); err != nil {
		t.Fatal(err)
	}
	source := data["spec"].(map[string]any)["source"].(map[string]any)["inline"].(map[string]any)["source"]
	if source != fn.Spec.Source.Inline.Source || !strings.Contains(string(kept.Data.Raw), "a < b && c") {
		t.Errorf("source %q in %s", source, kept.Data.Raw)
	}
	for key, want := range map[string]string{"serverless.kyma-project.io/image": "registry/orders@sha256:1", "kubernetes.io/change-cause": "greet politely"} {
		if got := kept.Annotations[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if kept.Labels["team"] != "shop" || kept.Labels[v1alpha2.LabelFunctionName] != "orders" || !metav1.IsControlledBy(kept, fn) {
		t.Errorf("not a child: %+v", kept.ObjectMeta)
	}
}

func TestStateThatNoRevisionHoldsIsRefused(t *testing.T) {
	fn := orders()
	fn.Spec.Source.Inline.Source = strings.Repeat("x", 1<<20)
	if err := state(t, fn).Check(); err != nil {
		t.Errorf("a source of 1 MiB: %v", err)
	}
	fn.Spec.Source.Inline.Source = strings.Repeat("\n", 1<<20)
	if err := state(t, fn).Check(); err == nil || !strings.Contains(err.Error(), "takes 2048 KiB, and a revision holds at most 1280") {
		t.Errorf("a source of 1 MiB that takes twice that: %v", err)
	}
}

func orders() *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "6ba7b810"},
		Spec: v1alpha2.FunctionSpec{
			Runtime:  "nodejs22",
			Source:   v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: "main = a < b && c"}},
			Replicas: new(int32(1)),
		},
	}
}

func state(t *testing.T, fn *v1alpha2.Function) revision.State { return stateAt(t, fn, "") }

func stateAt(t *testing.T, fn *v1alpha2.Function, commit string) revision.State {
	t.Helper()
	state, err := revision.StateOf(fn, commit)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func scaleConfig(least, most int32) *v1alpha2.ScaleConfig {
	return &v1alpha2.ScaleConfig{MinReplicas: &least, MaxReplicas: &most}
}

func cpu(quantity string) *v1alpha2.ResourceConfiguration {
	return &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}}}}
}
