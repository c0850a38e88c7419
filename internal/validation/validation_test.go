package validation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/validation"
)

// The messages are those of contract/functions.md 2.4.
func TestSpecThatCannotRunSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha2.Function)
		want   []string
	}{
		"nothing is wrong": {change: func(*v1alpha2.Function) {}},
		"CPU request above its limit": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "200m", "64Mi", "100m", "64Mi") },
			want:   []string{"Function limits cpu(100m) should be higher than requests cpu(200m)"},
		},
		"memory request above its limit": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "100m", "128Mi", "100m", "64Mi") },
			want:   []string{"Function limits memory(64Mi) should be higher than requests memory(128Mi)"},
		},
		"request equal to its limit": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "100m", "64Mi", "100m", "64Mi") },
		},
		"less than the minimum": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "5m", "8Mi", "9m", "15Mi") },
			want: []string{
				"Function limits cpu(9m) should be higher than minimal value (10m)",
				"Function request cpu(5m) should be higher than minimal value (10m)",
				"Function limits memory(15Mi) should be higher than minimal value (16Mi)",
				"Function request memory(8Mi) should be higher than minimal value (16Mi)",
			},
		},
		"exactly the minimum": {
			change: func(fn *v1alpha2.Function) { resourcesOf(fn, "10m", "16Mi", "10m", "16Mi") },
		},
		"build below its own minimum": {
			change: func(fn *v1alpha2.Function) {
				fn.Spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{Build: requirements("100m", "200Mi", "300m", "300Mi")}
			},
			want: []string{"Build request cpu(100m) should be higher than minimal value (200m)"},
		},
		"profile in place of resources": {
			change: func(fn *v1alpha2.Function) {
				fn.Spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{Profile: "XS"}}
			},
		},
		"environment variable that starts with a digit": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Env = []corev1.EnvVar{{Name: "GOOD"}, {Name: "1a"}} },
			want: []string{"spec.env: 1a. Err: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.'," +
				" and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1'," +
				" regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"},
		},
		"one Secret mounted twice": {
			change: func(fn *v1alpha2.Function) {
				fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "one", MountPath: "/a"}, {SecretName: "one", MountPath: "/b"}}
			},
			want: []string{"invalid spec.secretMounts: [secretNames should be unique]"},
		},
		"two Secrets mounted": {
			change: func(fn *v1alpha2.Function) {
				fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "one", MountPath: "/a"}, {SecretName: "two", MountPath: "/b"}}
			},
		},
		"two Secrets at one path": {
			change: func(fn *v1alpha2.Function) { mount(fn, "/a", "a", "/a/", "/b") },
			want:   []string{"invalid spec.secretMounts: [mountPaths should be unique: /a is there more than once]"},
		},
		"Secrets in place of what the Function needs": {
			change: func(fn *v1alpha2.Function) { mount(fn, "/tmp/", "/") },
			want: []string{"invalid spec.secretMounts: [mountPath / hides what the Function needs there: choose another directory" +
				" mountPath /tmp hides what the Function needs there: choose another directory]"},
		},
		"Secrets within other directories": {
			change: func(fn *v1alpha2.Function) { mount(fn, "/tmp/a", "/a", "/a/b", "/ab") },
		},
		"Node.js dependencies that are no object": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = "foo" },
			want:   []string{"invalid source.inline.dependencies value: deps should start with '{' and end with '}'"},
		},
		"Node.js dependencies with space around": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = "\n {} \n" },
		},
		"Node.js dependencies of space only": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = " \n" },
		},
		"Node.js dependencies that are no JSON": {
			change: func(fn *v1alpha2.Function) { fn.Spec.Source.Inline.Dependencies = "{dependencies: {}}" },
			want: []string{"parse dependencies as package.json: invalid character 'd' looking for beginning of object key string;" +
				" correct spec.source.inline.dependencies"},
		},
		"Python dependencies are not looked at": {
			change: func(fn *v1alpha2.Function) {
				fn.Spec.Runtime, fn.Spec.Source.Inline.Dependencies = "python313", "requests==2.32.0"
			},
		},
		"Git address that is none": {
			change: func(fn *v1alpha2.Function) { gitFrom(fn, "not a url") },
			want:   []string{`source.gitRepository.URL: parse "not a url": invalid URI for request`},
		},
		"Git address with a password that is none": {
			change: func(fn *v1alpha2.Function) { gitFrom(fn, "https://user:secret@host:port/a") },
			want:   []string{`source.gitRepository.URL: parse "https://***@host:port/a": invalid port ":port" after host`},
		},
		"Git address on this machine": {
			change: func(fn *v1alpha2.Function) { gitFrom(fn, "file:///etc/passwd") },
			want:   []string{"source.gitRepository.URL: it is no address of a Git server; use https://, http://, ssh:// or git@host:path"},
		},
		"name that no Service can have": {
			change: func(fn *v1alpha2.Function) { fn.Name = "1st" },
			want: []string{"metadata.name: 1st can't name a Service: a DNS-1035 label must consist of lower case alphanumeric characters" +
				" or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123'," +
				" regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?'); create the Function under another name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction()
			test.change(fn)
			if got := validation.Function(fn, profiles(t)); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// What Kubernetes says of metadata is its own wording: only the path is ours.
func TestMetadataIsHeldToTheRulesOfPods(t *testing.T) {
	for name, test := range map[string]struct {
		labels, annotations map[string]string
		want                string
	}{
		"label key with a space":        {labels: map[string]string{"a b": "c"}, want: "spec.labels: Invalid value"},
		"label value with a slash":      {labels: map[string]string{"a": "b/c"}, want: "spec.labels: Invalid value"},
		"annotation key with a space":   {annotations: map[string]string{"a b": "c"}, want: "spec.annotations: Invalid value"},
		"annotations above their limit": {annotations: map[string]string{"a": strings.Repeat("x", 256<<10)}, want: "spec.annotations: Too long"},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction()
			fn.Spec.Labels, fn.Spec.Annotations = test.labels, test.annotations
			got := validation.Function(fn, profiles(t))
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("got %q, want one message that starts with %q", got, test.want)
			}
		})
	}
}

func TestMountedSecretNeedsASecretsName(t *testing.T) {
	fn := newFunction()
	fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "Upper", MountPath: "/a"}}
	got := validation.Function(fn, profiles(t))
	if len(got) != 1 || !strings.HasPrefix(got[0], "invalid spec.secretMounts: [a lowercase RFC 1123 subdomain") {
		t.Errorf("got %q", got)
	}
}

func TestGitAddressesOfAllProtocolsAreAccepted(t *testing.T) {
	for _, url := range []string{
		"https://github.com/kyma-project/examples.git", "http://git.local/a", "git@github.com:kyma-project/examples.git",
		"ssh://git@host:22/a/b.git", "git://host/a.git", "https://user@host:8443/a",
	} {
		fn := newFunction()
		gitFrom(fn, url)
		if got := validation.Function(fn, profiles(t)); got != nil {
			t.Errorf("%s: %q", url, got)
		}
	}
}

func newFunction() *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop"},
		Spec: v1alpha2.FunctionSpec{
			Runtime: "nodejs22",
			Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: "module.exports = {main: () => 'hi'}"}},
		},
	}
}

func gitFrom(fn *v1alpha2.Function, url string) {
	fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{URL: url}}
}

// mount has a Secret of its own at each path; not each name is one that a volume may have.
func mount(fn *v1alpha2.Function, paths ...string) {
	for i, path := range paths {
		fn.Spec.SecretMounts = append(fn.Spec.SecretMounts, v1alpha2.SecretMount{SecretName: fmt.Sprintf("my.secret-%d", i), MountPath: path})
	}
}

func resourcesOf(fn *v1alpha2.Function, requestCPU, requestMemory, limitCPU, limitMemory string) {
	fn.Spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{
		Function: requirements(requestCPU, requestMemory, limitCPU, limitMemory),
	}
}

func requirements(requestCPU, requestMemory, limitCPU, limitMemory string) *v1alpha2.ResourceRequirements {
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	return &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{
		Requests: list(requestCPU, requestMemory), Limits: list(limitCPU, limitMemory),
	}}
}

func profiles(t *testing.T) preset.Config {
	t.Helper()
	config, err := preset.Parse([]byte(`
function: {resources: {minRequestCPU: 10m, minRequestMemory: 16Mi, defaultPreset: XS, presets: {XS: {}}}}
buildJob: {resources: {minRequestCPU: 200m, minRequestMemory: 200Mi, defaultPreset: slow, presets: {slow: {}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return config
}
