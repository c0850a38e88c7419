package workload_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
)

func TestEverySecretCanBeMounted(t *testing.T) {
	long := strings.Repeat("x", 64)
	fn := newFunction()
	// The volume's name is the Secret's wherever that can be.
	same := map[string]bool{"token": true, strings.Repeat("y", 63): true, "my-secret": true}
	for _, secret := range []string{"token", strings.Repeat("y", 63), "my-secret", "my.secret", "tmp-dir", long, long + "y", strings.Repeat("a.", 126) + "a"} {
		fn.Spec.SecretMounts = append(fn.Spec.SecretMounts, v1alpha2.SecretMount{SecretName: secret, MountPath: "/run/" + secret})
	}
	pod := deployment(fn, runtime.Runtime{}).Spec.Template.Spec
	seen := map[string]bool{}
	for _, volume := range pod.Volumes {
		if errs := validation.IsDNS1123Label(volume.Name); errs != nil || seen[volume.Name] {
			t.Errorf("volume %s: %q, or it is there twice", volume.Name, errs)
		}
		seen[volume.Name] = true
		if volume.Secret != nil && same[volume.Secret.SecretName] != (volume.Name == volume.Secret.SecretName) {
			t.Errorf("Secret %s has the volume %s", volume.Secret.SecretName, volume.Name)
		}
	}
	for i, mount := range pod.Containers[0].VolumeMounts {
		if volume := pod.Volumes[i]; mount.Name != volume.Name {
			t.Errorf("%s is of volume %s, want %s", mount.MountPath, mount.Name, volume.Name)
		}
	}
}
