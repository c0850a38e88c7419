package module_test

import (
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

func TestEveryPodPullsWithTheMarketsSecret(t *testing.T) {
	market := images
	for _, secret := range []string{"", "market"} {
		market.PullSecret = secret
		for _, deployment := range deployments(t, market) {
			pod := deployment.Spec.Template.Spec
			var got []string
			for _, reference := range pod.ImagePullSecrets {
				got = append(got, reference.Name)
			}
			if want := slices.DeleteFunc([]string{secret}, func(name string) bool { return name == "" }); !slices.Equal(got, want) {
				t.Errorf("%s pulls with %v, want %v", deployment.Name, got, want)
			}
			mounted := slices.ContainsFunc(pod.Volumes, func(volume corev1.Volume) bool {
				return volume.Secret != nil && volume.Secret.SecretName == "market" && *volume.Secret.Optional
			})
			// It alone copies images itself.
			if want := secret != "" && deployment.Name == "serverless-ctrl-mngr"; mounted != want {
				t.Errorf("%s has the Secret %q mounted: %t, want %t", deployment.Name, secret, mounted, want)
			}
		}
	}
}

func TestMarketsMayChangeEveryPod(t *testing.T) {
	for _, deployment := range deployments(t, images) {
		for _, key := range []string{"rt-cfg.kyma-project.io/alter-img-registry", "rt-cfg.kyma-project.io/add-img-pull-secret"} {
			if deployment.Spec.Template.Annotations[key] != "true" {
				t.Errorf("%s has no %s: %v", deployment.Name, key, deployment.Spec.Template.Annotations)
			}
		}
	}
}

func TestFIPSModeReachesEveryProgram(t *testing.T) {
	market := images
	for _, asked := range []bool{false, true} {
		market.FIPS = asked
		for _, deployment := range deployments(t, market) {
			env := deployment.Spec.Template.Spec.Containers[0].Env
			for _, variable := range []corev1.EnvVar{
				{Name: "KYMA_FIPS_MODE_ENABLED", Value: "true"}, {Name: "GODEBUG", Value: "fips140=only,tlsmlkem=0"},
			} {
				if slices.Contains(env, variable) != asked {
					t.Errorf("FIPS mode %t: %s has the environment %v", asked, deployment.Name, env)
				}
			}
		}
	}
}

// deployments are the module's, with its own registry.
func deployments(t *testing.T, images module.Images) []appsv1.Deployment {
	t.Helper()
	configuration := module.Configuration{
		Registry: module.Registry{Internal: true, NodePort: 32137}, Presets: module.Presets{BuildJob: "slow", RuntimePod: "XS"},
	}
	objects, err := load(t).Render(chart.Release{Name: module.Release, Namespace: "kyma-system"}, configuration.Values(images), chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	var found []appsv1.Deployment
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		var deployment appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment); err != nil {
			t.Fatal(err)
		}
		found = append(found, deployment)
	}
	if len(found) != 3 {
		t.Fatalf("%d Deployments", len(found))
	}
	return found
}
