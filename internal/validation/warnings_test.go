package validation_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/validation"
)

func TestFunctionThatWillNotWorkForLongIsWarnedAbout(t *testing.T) {
	offered := runtime.Catalog{"nodejs20": "n20", "nodejs22": "n22"}
	named := func(profile string) *v1alpha2.ResourceConfiguration {
		return &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{Profile: profile}}
	}
	label := func(fn *v1alpha2.Function, profile string) {
		fn.Labels = map[string]string{preset.FunctionLabel: profile}
	}
	const ofLabel = "label serverless.kyma-project.io/function-resources-preset is "

	for name, test := range map[string]struct {
		change func(*v1alpha2.Function)
		want   []string
	}{
		"nothing is wrong": {change: func(*v1alpha2.Function) {}},
		"runtime that is deprecated": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Runtime = "nodejs20" },
			want:   []string{"spec.runtime: nodejs20 is deprecated and gets no security fixes; set spec.runtime to nodejs22"},
		},
		"runtime that is not offered": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Runtime = "nodejs18" },
			want:   []string{"spec.runtime: cannot find runtime: nodejs18 is not offered by this installation; set spec.runtime to nodejs22"},
		},
		"memory that the runtime can't start with": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "100m", "16Mi", "100m", "32Mi") },
			want:   []string{"spec.resourceConfiguration.function: limits memory(32Mi) is less than the 48Mi that nodejs22 needs; raise the limit"},
		},
		"memory that is just enough": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "100m", "16Mi", "100m", "48Mi") },
		},
		"label that names the profile": {
			change: func(fn *v1alpha2.Function) { label(fn, "XS"); fn.Spec.ResourceConfiguration = named("XS") },
			want:   []string{ofLabel + "deprecated: set spec.resourceConfiguration.function.profile to XS"},
		},
		"label that the spec contradicts": {
			change: func(fn *v1alpha2.Function) { label(fn, "XS"); resourcesOf(fn, "1", "1Gi", "1", "1Gi") },
			want:   []string{ofLabel + "ignored: spec.resourceConfiguration.function decides"},
		},
		"label that names no profile": {
			change: func(fn *v1alpha2.Function) { label(fn, "XXS") },
			want:   []string{ofLabel + `ignored: "XXS" is no profile; set spec.resourceConfiguration.function.profile to one of: XS`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction()
			test.change(fn)
			got := validation.Warnings(fn, profiles(t), offered)
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			for _, warning := range got {
				if len(warning) > 256 {
					t.Errorf("%d characters, of which clients see 256: %s", len(warning), warning)
				}
			}
		})
	}
}

func TestEachPlaceThatNamesASecretSaysWhatWaitsForIt(t *testing.T) {
	fn := newFunction()
	gitFrom(fn, "https://git.local/a")
	fn.Spec.Source.GitRepository.Auth = &v1alpha2.RepositoryAuth{Type: "basic", SecretName: "git"}
	fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "files", MountPath: "/a"}}
	key := func(optional *bool) *corev1.EnvVarSource {
		reference := corev1.LocalObjectReference{Name: "values"}
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: reference, Key: "k", Optional: optional}}
	}
	fn.Spec.Env = []corev1.EnvVar{{Name: "PLAIN", Value: "v"}, {Name: "NEEDED", ValueFrom: key(nil)}, {Name: "OPTIONAL", ValueFrom: key(new(true))}}

	const absent = " does not exist yet in this namespace; "
	want := []string{
		`spec.source.gitRepository.auth.secretName: Secret "git"` + absent + "the source can't be read until it is created",
		`spec.secretMounts[0].secretName: Secret "files"` + absent + "new Pods can't start until it is created",
		`spec.env[1].valueFrom.secretKeyRef: Secret "values"` + absent + `new Pods can't start until it is created with the key "k"`,
	}
	var got []string
	for _, reference := range validation.Secrets(fn) {
		got = append(got, reference.Missing())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
