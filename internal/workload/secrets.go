package workload

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	corev1 "k8s.io/api/core/v1"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// secretVolumes mount Secrets as files (contract/functions.md 3.5).
func secretVolumes(mounts []v1alpha2.SecretMount) ([]corev1.Volume, []corev1.VolumeMount) {
	var volumes []corev1.Volume
	var volumeMounts []corev1.VolumeMount
	for _, mount := range mounts {
		name := volumeName(mount.SecretName)
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: mount.SecretName, DefaultMode: ptr.To(int32(0o666)), Optional: ptr.To(false)},
		}})
		volumeMounts = append(volumeMounts, corev1.VolumeMount{Name: name, MountPath: mount.MountPath, ReadOnly: true})
	}
	return volumes, volumeMounts
}

// volumeName is the Secret's, unless that is taken, or one that only a Secret
// may have: with dots in it, or of more than 63 characters.
func volumeName(secret string) string {
	if secret != temporaryVolume && len(k8svalidation.IsDNS1123Label(secret)) == 0 {
		return secret
	}
	sum := sha256.Sum256([]byte(secret))
	suffix := "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10])
	readable := strings.ReplaceAll(secret, ".", "-")
	return readable[:min(len(readable), k8svalidation.DNS1123LabelMaxLength-len(suffix))] + suffix
}
