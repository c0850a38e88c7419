package controllers_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// functionSettingsSpecs are about what the spec says of Pods.
func functionSettingsSpecs(w *functionWorld) {
	It("has its security settings in its Pods, over the defaults", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "secured")
		fn.Spec.PodSecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(4711)), FSGroup: new(int64(4712))}
		fn.Spec.ContainerSecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: new(false)}
		w.run(ctx, fn)
		pod := w.deployment(ctx, Default, fn).Spec.Template.Spec
		wantPod, wantContainer := workload.RestrictedPod(), workload.RestrictedContainer()
		wantPod.RunAsUser, wantPod.FSGroup = new(int64(4711)), new(int64(4712))
		wantContainer.ReadOnlyRootFilesystem = new(false)
		Expect(pod.SecurityContext).To(Equal(wantPod))
		Expect(pod.Containers[0].SecurityContext).To(Equal(wantContainer))
	})

	It("is built on the image that it names, which its status shows until it names none", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "overridden")
		fn.Spec.RuntimeImageOverride = w.releaseBase("custom")
		w.run(ctx, fn)
		Expect(fn.Status.RuntimeImageOverride).To(Equal(fn.Spec.RuntimeImageOverride))
		Expect(fn.Status.RuntimeImage).To(Equal(fn.Spec.RuntimeImageOverride))
		custom := w.image(ctx, fn)

		w.change(ctx, fn, func() { fn.Spec.RuntimeImageOverride = "" })
		w.becomesReady(ctx, fn)
		Expect(fn.Status.RuntimeImageOverride).To(BeEmpty())
		Expect(fn.Status.RuntimeImage).To(HaveSuffix("/nodejs22:1"))
		Expect(w.image(ctx, fn)).NotTo(Equal(custom))
	})

	It("mounts each Secret, whatever its name", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "mounting-all")
		mounting("token", "/run/token", "my.secret", "/run/dotted", "tmp-dir", "/run/taken", strings.Repeat("x", 253), "/tmp/long")(fn)
		w.run(ctx, fn)
		pod := w.deployment(ctx, Default, fn).Spec.Template.Spec
		secrets := map[string]string{}
		for _, volume := range pod.Volumes {
			if volume.Secret != nil {
				secrets[volume.Name] = volume.Secret.SecretName
			}
		}
		Expect(secrets).To(HaveKeyWithValue("token", "token"))
		var mounts []v1alpha2.SecretMount
		for _, mount := range pod.Containers[0].VolumeMounts {
			if secret, found := secrets[mount.Name]; found {
				Expect(mount.ReadOnly).To(BeTrue())
				mounts = append(mounts, v1alpha2.SecretMount{SecretName: secret, MountPath: mount.MountPath})
			}
		}
		Expect(mounts).To(Equal(fn.Spec.SecretMounts))
	})
}
