package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

// removalSpecs tell what is left after the module, and what holds its removal up.
func removalSpecs(world func() *operatorWorld) {
	It("leaves nothing of the module in any namespace, and everything of others", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world().install(ctx, object, v1alpha1.StateReady)
		labelled := func(namespace, name, config string) metav1.ObjectMeta {
			return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{module.ConfigLabel: config}}
		}
		gone := []client.Object{
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "serverless-manifest-cache"}},
			&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: module.ControllerLeaseName}},
		}
		for _, namespace := range []string{"default", "kube-public"} {
			gone = append(gone,
				&corev1.Secret{ObjectMeta: labelled(namespace, module.RegistrySecretName, module.ConfigCredentials)},
				&corev1.ServiceAccount{ObjectMeta: labelled(namespace, "serverless-function", module.ConfigServiceAccount)},
				&corev1.ConfigMap{ObjectMeta: labelled(namespace, "dockerfile-nodejs20", module.ConfigRuntime)})
		}
		stays := []client.Object{
			&corev1.Secret{ObjectMeta: labelled("default", "my-"+module.RegistrySecretName, module.ConfigCredentials)},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "dockerfile-nodejs22"}},
			&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: module.ControllerLeaseName}},
		}
		for _, made := range append(gone, stays...) {
			Expect(world().Create(ctx, made)).To(Succeed())
		}
		DeferCleanup(func(ctx context.Context) {
			for _, made := range stays {
				Expect(world().Delete(ctx, made)).To(Succeed())
			}
		})

		Expect(world().Delete(ctx, object)).To(Succeed())
		world().vanishes(ctx, object)
		Expect(managedObjects(ctx, world())).To(BeEmpty())
		for _, made := range gone {
			Expect(apierrors.IsNotFound(world().Get(ctx, client.ObjectKeyFromObject(made), made))).To(BeTrue(), "%T %s", made, made.GetName())
		}
		for _, made := range stays {
			Expect(world().Get(ctx, client.ObjectKeyFromObject(made), made)).To(Succeed(), "%T %s", made, made.GetName())
		}
	})

	It("says which finalizer holds the removal up", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world().install(ctx, object, v1alpha1.StateReady)
		world().holdRegistrySecret(ctx, "example.com/backup")
		Expect(world().Delete(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Deleted", metav1.ConditionTrue, "Deletion",
				"Deleting secrets: Secret kyma-system/serverless-registry-config-default, held by finalizer example.com/backup"))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateDeleting))
		world().holdRegistrySecret(ctx)
		world().vanishes(ctx, object)
		Eventually(func() []string { return eventTexts(ctx, world()) }).Should(ContainElements(
			"Deletion: Uninstalling", "Deletion: Deleting secrets", "Deleted: Serverless module deleted"))
	})

	It("waits for the function controller's finalizer while it runs, and takes it over when it doesn't", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world().install(ctx, object, v1alpha1.StateReady)
		world().holdRegistrySecret(ctx, module.RegistryFinalizer)
		held := haveCondition("Deleted", metav1.ConditionTrue, "Deletion",
			"Deleting secrets: Secret kyma-system/serverless-registry-config-default, held by finalizer "+module.RegistryFinalizer)
		Expect(world().Delete(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(held)
		}).Should(Succeed())
		Consistently(func() error { return world().Get(ctx, client.ObjectKeyFromObject(object), object) }).
			WithTimeout(3 * time.Second).Should(Succeed())

		Expect(world().Delete(ctx, get(ctx, world(), kymaSystem, module.ControllerName, &appsv1.Deployment{}))).To(Succeed())
		world().vanishes(ctx, object)
		Expect(managedObjects(ctx, world())).To(BeEmpty())
	})
}

// holdRegistrySecret sets the finalizers of the registry Secret.
func (w *operatorWorld) holdRegistrySecret(ctx context.Context, finalizers ...string) {
	GinkgoHelper()
	secret := registrySecret(ctx, w, kymaSystem)
	former := secret.DeepCopy()
	secret.Finalizers = finalizers
	Expect(w.Patch(ctx, secret, client.MergeFrom(former))).To(Succeed())
}

// vanishes waits until a deleted resource is gone.
func (w *operatorWorld) vanishes(ctx context.Context, object *v1alpha1.Serverless) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		err := w.Get(ctx, client.ObjectKeyFromObject(object), object)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "conditions: %v", object.Status.Conditions)
	}).Should(Succeed())
}
