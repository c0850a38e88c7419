package build_test

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/internal/build"
)

func TestBuilderRunsInFIPSModeIfTheModuleDoes(t *testing.T) {
	for _, asked := range []bool{false, true} {
		in := jobInput(t)
		in.FIPS = asked
		pod := build.Job(in).Spec.Template.Spec
		if got := fipsOf(pod.Containers[0]); got != asked {
			t.Errorf("asked %t: push is in FIPS mode: %t", asked, got)
		}
		if fipsOf(pod.InitContainers[0]) {
			t.Error("GODEBUG is set for npm, which is no program of ours")
		}
	}
}

func TestMarketsMayChangeBuilds(t *testing.T) {
	for name, annotations := range map[string]map[string]string{
		"install": job(t).Spec.Template.Annotations, "fetch": fetchJob(t, revision()).Spec.Template.Annotations,
	} {
		for _, key := range []string{"rt-cfg.kyma-project.io/alter-img-registry", "rt-cfg.kyma-project.io/add-img-pull-secret"} {
			if annotations[key] != "true" {
				t.Errorf("%s: %s is not among %v", name, key, slices.Sorted(maps.Keys(annotations)))
			}
		}
	}
}

func fipsOf(container corev1.Container) bool {
	mode := corev1.EnvVar{Name: "KYMA_FIPS_MODE_ENABLED", Value: "true"}
	return slices.Contains(container.Env, mode) && slices.Contains(container.Env, corev1.EnvVar{Name: "GODEBUG", Value: "fips140=only,tlsmlkem=0"})
}
