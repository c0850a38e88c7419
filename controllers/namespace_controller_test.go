package controllers_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// namespaceSpecs are about what a namespace with Functions has (contract/functions.md 2.6 and 3.9; 12, checks 43 and 44).
func namespaceSpecs(w *functionWorld) {
	original := client.ObjectKey{Namespace: moduleNamespace, Name: registrySecretName}

	It("gets the registry's credentials and the service account with its first Function", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		Consistently(func() []string { return w.copiesIn(ctx, namespace) }).Should(BeEmpty())
		Expect(w.Create(ctx, function(namespace, "first"))).To(Succeed())
		w.getsCopies(ctx, namespace)

		var base, secret corev1.Secret
		Expect(w.Get(ctx, original, &base)).To(Succeed())
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: registrySecretName}, &secret)).To(Succeed())
		for _, key := range []string{"isInternal", "pullRegAddr", "pushRegAddr"} {
			Expect(secret.Data).To(HaveKeyWithValue(key, base.Data[key]))
		}
		Expect(secret.Type).To(Equal(corev1.SecretTypeDockerConfigJson))
		var account corev1.ServiceAccount
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: functionAccount}, &account)).To(Succeed())
		Expect(account.ImagePullSecrets).To(ConsistOf(corev1.LocalObjectReference{Name: registrySecretName}))
		Expect(account.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
	})

	It("pulls its own images with its credentials, and does nothing else", func(ctx SpecContext) {
		fn, other := function(w.newNamespace(ctx), "own"), function(w.newNamespace(ctx), "other")
		w.run(ctx, fn)
		w.run(ctx, other)
		var secret corev1.Secret
		Expect(w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: registrySecretName}, &secret)).To(Succeed())
		var docker struct{ Auths map[string]authn.AuthConfig }
		Expect(json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &docker)).To(Succeed())
		Expect(docker.Auths).To(HaveKey(nodesRegistry))
		login := remote.WithAuth(authn.FromConfig(docker.Auths[nodesRegistry]))

		at := func(image string) name.Reference {
			reference, err := name.ParseReference(strings.Replace(image, nodesRegistry, w.registryHost, 1))
			Expect(err).NotTo(HaveOccurred())
			return reference
		}
		pulled, err := remote.Image(at(w.image(ctx, fn)), login)
		Expect(err).NotTo(HaveOccurred())
		_, err = pulled.RawConfigFile()
		Expect(err).NotTo(HaveOccurred())
		_, err = remote.Image(at(w.image(ctx, other)), login)
		Expect(err).To(MatchError(ContainSubstring("UNAUTHORIZED")))
		Expect(remote.Write(at(w.image(ctx, fn)).Context().Tag("mine"), pulled, login)).To(MatchError(ContainSubstring("UNAUTHORIZED")))
		Expect(remote.Delete(at(w.image(ctx, fn)), login)).To(MatchError(ContainSubstring("UNAUTHORIZED")))
		_, err = remote.Catalog(ctx, at(w.image(ctx, fn)).Context().Registry, login)
		Expect(err).To(MatchError(ContainSubstring("UNAUTHORIZED")))
	})

	It("is ready for its first Function without any condition that says otherwise", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "first")
		w.run(ctx, fn)
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Normal DeploymentReady"))
		for _, event := range w.events(ctx, fn) {
			Expect(event).To(HavePrefix("Normal "))
			Expect(event).NotTo(HaveSuffix("JobRunning"), "the build waited for something")
		}
	})

	It("is cleared after its last Function", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		first, last := function(namespace, "first"), function(namespace, "last")
		w.run(ctx, first)
		w.run(ctx, last)
		Expect(w.Delete(ctx, first)).To(Succeed())
		Consistently(func() []string { return w.copiesIn(ctx, namespace) }).Should(HaveLen(2))
		Expect(w.Delete(ctx, last)).To(Succeed())
		Eventually(func() []string { return w.copiesIn(ctx, namespace) }).Should(BeEmpty())

		again := function(namespace, "again")
		w.run(ctx, again)
		w.getsCopies(ctx, namespace)
	})

	It("gets no copies if it is excluded, and its Functions say so", func(ctx SpecContext) {
		fn := function("kube-system", "excluded")
		Expect(w.Create(ctx, fn)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(w.Delete(ctx, fn)).To(Succeed()) })
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
			Equal("Functions don't run in namespace kube-system: it gets no credentials of the registry. Create the Function in another namespace"))
		Expect(w.copiesIn(ctx, "kube-system")).To(BeEmpty())

		By("getting credentials from its user")
		original := &corev1.Secret{}
		Expect(w.Get(ctx, client.ObjectKey{Namespace: moduleNamespace, Name: registrySecretName}, original)).To(Succeed())
		users := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: registrySecretName,
			Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials, v1alpha2.LabelManagedBy: v1alpha2.ManagedByUser},
		}, Type: original.Type, Data: original.Data}
		Expect(w.Create(ctx, users)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(w.Delete(ctx, users)).To(Succeed()) })
		w.becomesReady(ctx, fn)
	})

	It("runs Functions with the originals if it is the module's own, and keeps those", func(ctx SpecContext) {
		fn := function(moduleNamespace, "beside-the-module")
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(w.Delete(ctx, fn))).To(Succeed()) })
		w.run(ctx, fn)
		Expect(w.Delete(ctx, fn)).To(Succeed())
		Consistently(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKey{Namespace: moduleNamespace, Name: registrySecretName}, &corev1.Secret{})).To(Succeed())
			g.Expect(w.Get(ctx, client.ObjectKey{Namespace: moduleNamespace, Name: functionAccount}, &corev1.ServiceAccount{})).To(Succeed())
		}).Should(Succeed())
	})

	It("keeps credentials that its user manages, also after its last Function", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		fn := function(namespace, "first")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.getsCopies(ctx, namespace)
		secret := &corev1.Secret{}
		Expect(w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: registrySecretName}, secret)).To(Succeed())
		secret.Labels[v1alpha2.LabelManagedBy] = v1alpha2.ManagedByUser
		secret.Data["username"] = []byte("mine")
		Expect(w.Update(ctx, secret)).To(Succeed())
		isKept := func() {
			Consistently(func(g Gomega) {
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
				g.Expect(secret.Data).To(HaveKeyWithValue("username", []byte("mine")))
			}).Should(Succeed())
		}
		isKept()
		Expect(w.Delete(ctx, fn)).To(Succeed())
		Eventually(func() []string { return w.copiesIn(ctx, namespace) }).Should(ConsistOf(registrySecretName))
		isKept()
	})

	It("gets back what is changed or deleted by hand", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		Expect(w.Create(ctx, function(namespace, "first"))).To(Succeed())
		w.getsCopies(ctx, namespace)
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: namespace, Name: registrySecretName}
		Expect(w.Get(ctx, key, secret)).To(Succeed())
		secret.Data["username"] = []byte("mine")
		Expect(w.Update(ctx, secret)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, key, secret)).To(Succeed())
			g.Expect(secret.Data).To(HaveKeyWithValue("username", []byte("namespace/"+namespace)))
		}).Should(Succeed())

		Expect(w.Delete(ctx, secret)).To(Succeed())
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: functionAccount}}
		Expect(w.Delete(ctx, account)).To(Succeed())
		w.getsCopies(ctx, namespace)
	})

	It("gets changes of the original, which is held until the copies can go", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		Expect(w.Create(ctx, function(namespace, "first"))).To(Succeed())
		w.getsCopies(ctx, namespace)
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

	DescribeTable("without Functions loses copies that earlier versions made, and nothing else",
		func(ctx SpecContext, manager string, labels map[string]string, stays bool) {
			namespace := w.newNamespace(ctx)
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: registrySecretName, Labels: labels}}
			Expect(w.Create(ctx, secret, client.FieldOwner(manager))).To(Succeed())
			isThere := func() []string { return w.copiesIn(ctx, namespace) }
			if stays {
				Consistently(isThere).Should(ConsistOf(registrySecretName))
			} else {
				Eventually(isThere).Should(BeEmpty())
			}
		},
		Entry("of the original module", "manager", map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials}, false),
		Entry("of this module", "function-controller", map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials}, false),
		Entry("what a user keeps", "manager", map[string]string{
			v1alpha2.LabelConfig: v1alpha2.ConfigCredentials, v1alpha2.LabelManagedBy: v1alpha2.ManagedByUser}, true),
		Entry("what a user made alike", "kubectl-create", map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials}, true),
		Entry("a user's Secret of that name", "kubectl-create", map[string]string{}, true),
	)
}

// copiesIn are which of the namespace's Secret and service account are there.
func (w *functionWorld) copiesIn(ctx context.Context, namespace string) []string {
	GinkgoHelper()
	var found []string
	for name, object := range map[string]client.Object{registrySecretName: &corev1.Secret{}, functionAccount: &corev1.ServiceAccount{}} {
		err := w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
		if err == nil {
			found = append(found, name)
		}
		Expect(client.IgnoreNotFound(err)).To(Succeed())
	}
	return found
}

func (w *functionWorld) getsCopies(ctx context.Context, namespace string) {
	GinkgoHelper()
	Eventually(func() []string { return w.copiesIn(ctx, namespace) }).Should(ConsistOf(registrySecretName, functionAccount))
}
