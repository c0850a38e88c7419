package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// namespaceSpecs are about what each namespace gets (contract/functions.md 3.9).
func namespaceSpecs(w *functionWorld) {
	original := client.ObjectKey{Namespace: moduleNamespace, Name: registrySecretName}

	It("gets the registry's credentials and the service account", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		var base, secret corev1.Secret
		Expect(w.Get(ctx, original, &base)).To(Succeed())
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: registrySecretName}, &secret)).To(Succeed())
		Expect(secret.Data).To(Equal(base.Data))
		Expect(secret.Type).To(Equal(corev1.SecretTypeDockerConfigJson))
		var account corev1.ServiceAccount
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: functionAccount}, &account)).To(Succeed())
		Expect(account.ImagePullSecrets).To(ConsistOf(corev1.LocalObjectReference{Name: registrySecretName}))
		Expect(account.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
	})

	It("gets no copies if it is excluded", func(ctx SpecContext) {
		// Its namespace is older than one that has got its copies.
		w.newNamespace(ctx)
		err := w.Get(ctx, client.ObjectKey{Namespace: "kube-system", Name: registrySecretName}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "got %v", err)
	})

	It("keeps credentials that its user manages", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		secret := &corev1.Secret{}
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: registrySecretName}, secret)).To(Succeed())
		secret.Labels[v1alpha2.LabelManagedBy] = v1alpha2.ManagedByUser
		secret.Data["username"] = []byte("mine")
		Expect(w.Update(ctx, secret)).To(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
			g.Expect(secret.Data).To(HaveKeyWithValue("username", []byte("mine")))
		}).Should(Succeed())
	})

	It("gets back what is changed or deleted by hand", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: namespace, Name: registrySecretName}
		Expect(w.Get(ctx, key, secret)).To(Succeed())
		secret.Data["username"] = []byte("mine")
		Expect(w.Update(ctx, secret)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, key, secret)).To(Succeed())
			g.Expect(secret.Data).To(HaveKeyWithValue("username", []byte("user")))
		}).Should(Succeed())

		Expect(w.Delete(ctx, secret)).To(Succeed())
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: functionAccount}}
		Expect(w.Delete(ctx, account)).To(Succeed())
		Eventually(func() error { return w.Get(ctx, key, secret) }).Should(Succeed())
		Eventually(func() error { return w.Get(ctx, client.ObjectKeyFromObject(account), account) }).Should(Succeed())
	})

	It("gets changes of the original, which is held until the copies can go", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		base := &corev1.Secret{}
		Expect(w.Get(ctx, original, base)).To(Succeed())
		Expect(base.Finalizers).To(ConsistOf("serverless.kyma-project.io/finalizer-registry-config"))
		DeferCleanup(func(ctx SpecContext) {
			Expect(w.Get(ctx, original, base)).To(Succeed())
			delete(base.Data, "note")
			Expect(w.Update(ctx, base)).To(Succeed())
		})
		base.Data["note"] = []byte("new")
		Expect(w.Update(ctx, base)).To(Succeed())
		Eventually(func(g Gomega) {
			var secret corev1.Secret
			g.Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: registrySecretName}, &secret)).To(Succeed())
			g.Expect(secret.Data).To(HaveKeyWithValue("note", []byte("new")))
		}).Should(Succeed())
	})
}
