package controllers_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// functionMistakeSpecs are about Functions that no webhook has refused
// (contract/functions.md 2.4 and 12, checks 36 to 40).
func functionMistakeSpecs(w *functionWorld) {
	DescribeTable("says what is wrong",
		func(ctx SpecContext, change func(*v1alpha2.Function), messages ...string) {
			fn := function(w.newNamespace(ctx), "wrong")
			change(fn)
			Expect(w.Create(ctx, fn)).To(Succeed())
			w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
				Equal(strings.Join(messages, ". ")))
		}, mistakes())
}

const labelRule = `: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character` +
	` (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`

// mistakes are those which the CRD takes, with what the webhook and the controller say of each.
func mistakes() []TableEntry {
	return []TableEntry{
		Entry("with dependencies that are no object", func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = "lodash" }, badDependenciesMessage),
		Entry("with dependencies that are no JSON", func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = "{lodash}" },
			"parse dependencies as package.json: invalid character 'l' looking for beginning of object key string; correct spec.source.inline.dependencies"),
		Entry("with too little CPU", func(fn *v1alpha2.Function) { fn.Spec.ResourceConfiguration = limits("5m", "128Mi") },
			"Function limits cpu(5m) should be higher than minimal value (10m)"),
		Entry("with too little memory", func(fn *v1alpha2.Function) { fn.Spec.ResourceConfiguration = limits("100m", "8Mi") },
			"Function limits memory(8Mi) should be higher than minimal value (16Mi)"),
		Entry("with more CPU requested than its limit", func(fn *v1alpha2.Function) {
			fn.Spec.ResourceConfiguration = limits("100m", "128Mi")
			fn.Spec.ResourceConfiguration.Function.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m")}
		}, "Function limits cpu(100m) should be higher than requests cpu(200m)"),
		Entry("with more memory requested than its limit", func(fn *v1alpha2.Function) {
			fn.Spec.ResourceConfiguration = limits("100m", "128Mi")
			fn.Spec.ResourceConfiguration.Function.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}
		}, "Function limits memory(128Mi) should be higher than requests memory(256Mi)"),
		Entry("with too little CPU for its build", func(fn *v1alpha2.Function) {
			fn.Spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{Build: limits("100m", "300Mi").Function}
		}, "Build limits cpu(100m) should be higher than minimal value (200m)"),
		Entry("with one Secret mounted twice", mounting("one", "/a", "one", "/b"), "invalid spec.secretMounts: [secretNames should be unique]"),
		Entry("with two Secrets at one path", mounting("one", "/a", "two", "/a/"),
			"invalid spec.secretMounts: [mountPaths should be unique: /a is there more than once]"),
		Entry("with a Secret in place of its temporary files", mounting("one", "/tmp"),
			"invalid spec.secretMounts: [mountPath /tmp hides what the Function needs there: choose another directory]"),
		Entry("with a label that no Pod can have", func(fn *v1alpha2.Function) { fn.Spec.Labels = map[string]string{"a b": "c"} }, "spec.labels"+labelRule),
		Entry("with an annotation that no Pod can have", func(fn *v1alpha2.Function) { fn.Spec.Annotations = map[string]string{"a b": "c"} },
			"spec.annotations"+labelRule),
		Entry("with a variable that no container can have", func(fn *v1alpha2.Function) { fn.Spec.Env = []corev1.EnvVar{{Name: "1a"}} },
			"spec.env: 1a. Err: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.',"+
				" and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1',"+
				" regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"),
		Entry("with a name that no Service can have", func(fn *v1alpha2.Function) { fn.Name = "1st" },
			"metadata.name: 1st can't name a Service: a DNS-1035 label must consist of lower case alphanumeric characters"+
				" or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',"+
				" regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?'); create the Function under another name"),
		Entry("with a Git address that is none", func(fn *v1alpha2.Function) {
			fn.Spec.Source = v1alpha2.Source{GitRepository: repository()}
			fn.Spec.Source.GitRepository.URL = "not a url"
		}, `source.gitRepository.URL: parse "not a url": invalid URI for request`),
		Entry("with all that is wrong", func(fn *v1alpha2.Function) {
			fn.Spec.Source.Inline.Dependencies = "lodash"
			fn.Spec.ResourceConfiguration = limits("5m", "8Mi")
		}, "Function limits cpu(5m) should be higher than minimal value (10m)", "Function limits memory(8Mi) should be higher than minimal value (16Mi)",
			badDependenciesMessage),
	}
}

// mounting mounts the Secrets: a name, its path, and so on.
func mounting(mounts ...string) func(*v1alpha2.Function) {
	return func(fn *v1alpha2.Function) {
		for i := 0; i < len(mounts); i += 2 {
			fn.Spec.SecretMounts = append(fn.Spec.SecretMounts, v1alpha2.SecretMount{SecretName: mounts[i], MountPath: mounts[i+1]})
		}
	}
}

// limits are those of a Function's Pods.
func limits(cpu, memory string) *v1alpha2.ResourceConfiguration {
	return &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
	}}}
}
