package controllers_test

import (
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/ociregistry"
)

// externalRegistrySpecs are about a registry of the user's, behind TLS by a private authority.
func externalRegistrySpecs(w *functionWorld) {
	It("moves to an external registry and back, and keeps its image until the other one is there", func(ctx SpecContext) {
		external, err := ociregistry.Start(GinkgoT().TempDir(), "127.0.0.1", ociregistry.Token)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(external.Close)
		fn := function(w.newNamespace(ctx), "moving")
		w.run(ctx, fn)
		internal := w.image(ctx, fn)

		use := func(change map[string]string) {
			GinkgoHelper()
			data := map[string]string{
				"isInternal": "false", "username": ociregistry.Username, "password": ociregistry.Password,
				"serverAddress": "https://" + external.Host, "registryAddress": external.Host + "/team", "ca.crt": external.Authority,
				corev1.DockerConfigJsonKey: "{}",
			}
			maps.Copy(data, change)
			secret := &corev1.Secret{}
			Eventually(func() error {
				if err := w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: registrySecretName}, secret); err != nil {
					return err
				}
				// So that the other namespaces' Functions stay where they are.
				secret.Labels[v1alpha2.LabelManagedBy] = v1alpha2.ManagedByUser
				secret.Data = map[string][]byte{}
				for key, value := range data {
					secret.Data[key] = []byte(value)
				}
				return w.Update(ctx, secret)
			}).Should(Succeed())
		}

		By("not being let in")
		use(map[string]string{"password": "guess"})
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, SatisfyAll(
			HavePrefix("Build waits: registry "+external.Host+"/team is not available: "), Not(ContainSubstring("guess"))))
		Expect(w.image(ctx, fn)).To(Equal(internal))

		By("not knowing the authority")
		use(map[string]string{"ca.crt": ""})
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			ContainSubstring("add it as ca.crt to the registry's Secret"))
		Expect(w.image(ctx, fn)).To(Equal(internal))

		By("being let in")
		use(nil)
		Eventually(func() string { return w.image(ctx, fn) }).Should(HavePrefix(external.Host + "/team/" + fn.Namespace + "__moving@sha256:"))
		w.becomesReady(ctx, fn)

		By("going back")
		secret := &corev1.Secret{}
		Expect(w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: registrySecretName}, secret)).To(Succeed())
		Expect(w.Delete(ctx, secret)).To(Succeed())
		Eventually(func() string { return w.image(ctx, fn) }).Should(Equal(internal))
		w.becomesReady(ctx, fn)
	})
}
