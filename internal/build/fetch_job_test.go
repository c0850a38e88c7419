package build_test

import (
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/source"
)

func TestFetchIsRestricted(t *testing.T) {
	template := fetchJob(t, revision()).Spec.Template
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if token := template.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Error("an API token is mounted")
	}
}

func TestEachContainerOfAFetchSeesItsOwnCredentials(t *testing.T) {
	pod := fetchJob(t, revision()).Spec.Template.Spec
	mounts := func(container corev1.Container) []string {
		var names []string
		for _, mount := range container.VolumeMounts {
			names = append(names, mount.Name)
		}
		return names
	}
	if got := mounts(pod.InitContainers[0]); !slices.Contains(got, "git-credentials") || slices.Contains(got, "push-credentials") {
		t.Errorf("fetch mounts %v", got)
	}
	if got := mounts(pod.Containers[0]); slices.Contains(got, "git-credentials") || !slices.Contains(got, "push-credentials") {
		t.Errorf("push mounts %v", got)
	}
}

// The API server would put a variable's value in the place of $(NAME).
func TestFetchArgumentsArriveAsWritten(t *testing.T) {
	odd := revision()
	odd.BaseDir = "/$(GOMEMLIMIT)"
	if args := fetchJob(t, odd).Spec.Template.Spec.InitContainers[0].Args; !slices.Contains(args, "--base-dir=/$$(GOMEMLIMIT)") {
		t.Errorf("args %v", args)
	}
}

func TestSourceKeyTellsRevisionsApart(t *testing.T) {
	rt := nodejs22(t)
	first := revision()
	seen := map[string]string{build.SourceKey(&first, rt): "the first"}
	for name, change := range map[string]func(*source.Revision){
		"URL":       func(r *source.Revision) { r.URL += "x" },
		"commit":    func(r *source.Revision) { r.Commit = strings.Repeat("2", 40) },
		"directory": func(r *source.Revision) { r.BaseDir = "/" },
	} {
		other := revision()
		change(&other)
		if same, found := seen[build.SourceKey(&other, rt)]; found {
			t.Errorf("another %s has the key of %s", name, same)
		}
		seen[build.SourceKey(&other, rt)] = name
	}
}

func revision() source.Revision {
	return source.Revision{URL: "https://git.local/shop.git", Commit: strings.Repeat("1", 40), BaseDir: "/orders"}
}

func fetchJob(t *testing.T, from source.Revision) *batchv1.Job {
	t.Helper()
	fn := &v1alpha2.Function{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "1"}}
	fn.Spec.Source.GitRepository = &v1alpha2.GitRepositorySource{
		URL: from.URL, Auth: &v1alpha2.RepositoryAuth{Type: v1alpha2.RepositoryAuthBasic, SecretName: "git"},
	}
	rt := nodejs22(t)
	return build.FetchJob(build.FetchInput{
		Function: fn, Runtime: rt, Revision: from, Tag: build.SourceKey(&from, rt), Target: "registry.local/shop.dependencies:1", Attempt: 1,
		JobConfig: build.JobConfig{BuilderImage: "builder:1", ServiceAccount: "serverless-function", RegistrySecret: "registry"},
	})
}
