package build_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

var update = flag.Bool("update", false, "write the golden files")

func TestJobOfABuild(t *testing.T) {
	python := jobInput(t)
	var err error
	if python.Runtime, err = (runtime.Catalog{"python313": "releases.local/python313:1"}).Lookup("python313", ""); err != nil {
		t.Fatal(err)
	}
	python.Plan.Manifest = []byte("requests==2.32.3\n")
	python.PackageRegistry = map[string][]byte{"pip.conf": nil, "ca.crt": nil}
	locked := jobInput(t)
	locked.ByToken, locked.Source = true, "registry.local:5000/shop.dependencies:4567"
	locked.Plan.Lock = source.Lock{File: "package-lock.json", Digest: "89ab"}
	for golden, job := range map[string]*batchv1.Job{
		"testdata/job.yaml": job(t), "testdata/job-python.yaml": build.Job(python), "testdata/job-locked.yaml": build.Job(locked),
	} {
		got, err := yaml.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs; go test -update writes it:\n%s", golden, got)
		}
	}
}

func TestBuildIsRestricted(t *testing.T) {
	template := job(t).Spec.Template
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
}

// Its Service selects what has a Function's labels and this one.
func TestLabelsOfAFunctionDoNotMakeItsBuildServe(t *testing.T) {
	in := jobInput(t)
	in.Function.Labels = map[string]string{"team": "orders", v1alpha2.LabelResource: v1alpha2.ResourceDeployment, "job-name": "other"}
	want := map[string]string{
		"team": "orders", build.LabelDependencies: build.DependenciesLabel(in.Plan.Dependencies),
		v1alpha2.LabelFunctionName: "orders", v1alpha2.LabelManagedBy: v1alpha2.ManagedByController, v1alpha2.LabelUUID: string(in.Function.UID),
	}
	if got := build.Job(in).Spec.Template.Labels; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A package's install script is a stranger's code.
func TestInstallSeesNoCredentialToPush(t *testing.T) {
	for name, byToken := range map[string]bool{"another registry": false, "the module's own": true} {
		t.Run(name, func(t *testing.T) {
			in := jobInput(t)
			in.ByToken = byToken
			in.Plan.Lock.File = "package-lock.json"
			spec := build.Job(in).Spec.Template.Spec
			if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
				t.Error("an API token is mounted")
			}
			pushes := map[string]bool{}
			for _, volume := range spec.Volumes {
				ofRegistry := volume.Secret != nil && volume.Secret.SecretName == "serverless-registry-config-default"
				if ofRegistry == byToken && volume.Name == "push-credentials" {
					t.Errorf("the Secret is mounted: %t", ofRegistry)
				}
				pushes[volume.Name] = ofRegistry || volume.Projected != nil
			}
			if !pushes["push-credentials"] {
				t.Fatal("no volume has the credential to push")
			}
			if last := len(spec.InitContainers) - 1; spec.InitContainers[last].Name != "install" || last != 1 {
				t.Fatalf("got containers %v", spec.InitContainers)
			}
			for _, mount := range spec.InitContainers[1].VolumeMounts {
				if pushes[mount.Name] {
					t.Errorf("install has the credential to push at %s", mount.MountPath)
				}
			}
		})
	}
}

func TestTokenToPushIsForTheRegistryOnlyAndShortLived(t *testing.T) {
	in := jobInput(t)
	in.ByToken = true
	spec := build.Job(in).Spec.Template.Spec
	volume := spec.Volumes[len(spec.Volumes)-1]
	token := volume.Projected.Sources[0].ServiceAccountToken
	if token.Audience != "serverless-docker-registry" || *token.ExpirationSeconds > 600 || len(volume.Projected.Sources) != 1 {
		t.Errorf("got %+v", volume.Projected)
	}
	if !slices.Contains(spec.Containers[0].Args, "--token-file=/push-credentials/token") {
		t.Errorf("push has %v", spec.Containers[0].Args)
	}
}

// A certificate file would have Go leave out what its system trusts in files,
// so the packages' installer doesn't get it.
func TestPushTrustsTheCertificatesOfAnExternalRegistry(t *testing.T) {
	in := jobInput(t)
	in.Certificates = true
	spec := build.Job(in).Spec.Template.Spec
	trusts := corev1.EnvVar{Name: "SSL_CERT_FILE", Value: "/push-credentials/ca.crt"}
	if !slices.Contains(spec.Containers[0].Env, trusts) || slices.Contains(spec.InitContainers[0].Env, trusts) {
		t.Errorf("push has %v, install has %v", spec.Containers[0].Env, spec.InitContainers[0].Env)
	}
	items := spec.Volumes[len(spec.Volumes)-1].Secret.Items
	if want := (corev1.KeyToPath{Key: "ca.crt", Path: "ca.crt"}); !slices.Contains(items, want) {
		t.Errorf("mounted %v", items)
	}
}

func TestJobOfALongNameIsAccepted(t *testing.T) {
	tag := strings.Repeat("0123456789", 6)
	for _, function := range []string{"a", strings.Repeat("a", 46), strings.Repeat("a", 47), strings.Repeat("a", 63)} {
		name := build.JobName(function, tag)
		if errs := validation.IsDNS1123Label(name); errs != nil || !strings.HasSuffix(name, "-build-0123456789") {
			t.Errorf("Function of %d letters: %s: %v", len(function), name, errs)
		}
	}
}

// The API server replaces $(NAME) in values, and $$ by $.
func TestDependenciesArriveAsTheyAre(t *testing.T) {
	in := jobInput(t)
	in.Plan.Manifest = []byte(`{"overrides":{"a":"$b","c":"$(HOME)"}}`)
	for _, variable := range build.Job(in).Spec.Template.Spec.InitContainers[0].Env {
		if variable.Name == "DEPENDENCIES" && variable.Value != `{"overrides":{"a":"$$b","c":"$$(HOME)"}}` {
			t.Errorf("got %s", variable.Value)
		}
	}
}

func job(t *testing.T) *batchv1.Job {
	t.Helper()
	return build.Job(jobInput(t))
}

func jobInput(t *testing.T) build.JobInput {
	t.Helper()
	return build.JobInput{
		Function: &v1alpha2.Function{ObjectMeta: metav1.ObjectMeta{
			Name: "orders", Namespace: "shop", UID: "11111111-2222-3333-4444-555555555555", Labels: map[string]string{"team": "orders"},
		}},
		Runtime: nodejs22(t),
		Plan:    build.Plan{Image: "i", Dependencies: strings.Repeat("0123456789", 6), Manifest: []byte(`{"dependencies":{"ms":"2"}}`)},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("700m")},
		},
		PackageRegistry: map[string][]byte{".npmrc": nil, "ca.crt": nil},
		Target:          "registry.local:5000/shop.dependencies:0123", PlainHTTP: true, Attempt: 2,
		JobConfig: build.JobConfig{
			BuilderImage: "releases.local/builder:1", ServiceAccount: "serverless-function",
			RegistrySecret: "serverless-registry-config-default", PackageRegistrySecret: "serverless-package-registry-config",
		},
	}
}
