package controllers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/ssa/utils"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

// upgradeSpecs tell what becomes of a module that another implementation
// installed. testdata/upgrade says in our words what it leaves.
func upgradeSpecs(world func() *operatorWorld) {
	It("keeps the original's credentials, port, volume and HTTP secret", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		claim := get(ctx, world(), kymaSystem, module.RegistryName, &corev1.PersistentVolumeClaim{})
		world().install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)

		secret := registrySecret(ctx, world(), kymaSystem)
		Expect(string(secret.Data["username"])).To(Equal("former-user"))
		Expect(string(secret.Data["password"])).To(Equal("former-password"))
		Expect(string(secret.Data["pullRegAddr"])).To(Equal("localhost:32140"))
		Expect(string(get(ctx, world(), kymaSystem, module.RegistryName, &corev1.Secret{}).Data["secret"])).To(Equal("former-http-secret"))
		kept := get(ctx, world(), kymaSystem, module.RegistryName, &corev1.PersistentVolumeClaim{})
		Expect(kept.UID).To(Equal(claim.UID))
		Expect(kept.Spec).To(Equal(claim.Spec))
		pod := get(ctx, world(), kymaSystem, module.RegistryName, &appsv1.Deployment{}).Spec.Template.Spec
		Expect(*pod.SecurityContext.RunAsUser).To(BeEquivalentTo(1000), "the owner of the volume's files")
		Expect(*pod.SecurityContext.FSGroup).To(BeEquivalentTo(1000))
	})

	It("replaces the original's programs, whose Pods have other labels", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		world().install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		for _, name := range []string{module.ControllerName, "serverless-webhook-svc", module.RegistryName} {
			deployment := get(ctx, world(), kymaSystem, name, &appsv1.Deployment{})
			Expect(deployment.Spec.Selector.MatchLabels).To(HaveLen(2), name)
			Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(HavePrefix("registry.test/"), name)
			Expect(deployment.Spec.Template.Spec.InitContainers).To(BeEmpty(), name)
		}
		service := get(ctx, world(), kymaSystem, "serverless-controller-manager", &corev1.Service{})
		Expect(service.Annotations).NotTo(HaveKey("reconciler.kyma-project.io/managed-by-reconciler-disclaimer"))
		Expect(service.Spec.Selector).NotTo(HaveKey("app"))
		Expect(get(ctx, world(), kymaSystem, "serverless-configuration", &corev1.ConfigMap{}).Data).NotTo(HaveKey("former.yaml"))
	})

	It("removes what the original left, in all namespaces, once its own programs run", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		world().create(ctx, "namespace.yaml")
		world().endBuild(ctx)
		users := []client.Object{
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "dockerfile-mine"}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "serverless-config"}},
		}
		for _, object := range users {
			Expect(world().Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(world().Delete(ctx, object)).To(Succeed()) })
		}
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		Expect(world().Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Installed", metav1.ConditionUnknown, "Installation",
				"Waiting for Deployment serverless-ctrl-mngr: the former one has to go first, with its Pods"))
		}).Should(Succeed())
		former := get(ctx, world(), kymaSystem, module.ControllerName, &appsv1.Deployment{})
		Expect(former.Spec.Template.Spec.Containers[0].Image).To(Equal("former-controller:1.5.1"), "two would work at once")
		collect(ctx, Default, world(), former)
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Installed", metav1.ConditionUnknown, "Installation",
				"Waiting for Deployment serverless-ctrl-mngr: its change is not observed yet; "+
					"Deployment serverless-webhook-svc: its change is not observed yet"))
		}).Should(Succeed())
		Expect(world().exists(ctx, &corev1.ConfigMap{}, kymaSystem, "serverless-dashboard")).To(BeTrue(), "its own don't run yet")

		world().becomes(ctx, object, v1alpha1.StateReady)
		world().lacks(ctx, &corev1.Secret{}, kymaSystem, "serverless-manifest-cache")
		world().lacks(ctx, &corev1.ConfigMap{}, kymaSystem, "dockerfile-nodejs18")
		world().lacks(ctx, &corev1.ConfigMap{}, "default", "dockerfile-nodejs18")
		world().lacks(ctx, &corev1.ConfigMap{}, kymaSystem, "serverless-docker-registry-config")
		world().lacks(ctx, &corev1.ConfigMap{}, "kube-public", "functions")
		world().lacks(ctx, &corev1.ConfigMap{}, kymaSystem, "serverless-dashboard")
		world().lacks(ctx, &appsv1.Deployment{}, kymaSystem, module.RegistryName)
		world().lacks(ctx, &batchv1.Job{}, "default", "shop-build-x7c2k")
		world().lacks(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{}, "", "mutating.secrets.webhook.serverless.kyma-project.io")
		for _, object := range users {
			Expect(world().exists(ctx, object, object.GetNamespace(), object.GetName())).To(BeTrue(), object.GetName())
		}

		settled := world().settles()
		Consistently(func() int64 { return world().writes.Load() }).Should(Equal(settled))
	})

	It("lets the original's builds end, with what they need", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		world().create(ctx, "namespace.yaml")
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world().install(ctx, object, v1alpha1.StateReady)
		world().lacks(ctx, &corev1.ConfigMap{}, kymaSystem, "serverless-dashboard")
		Expect(world().exists(ctx, &batchv1.Job{}, "default", "shop-build-x7c2k")).To(BeTrue())
		Expect(world().exists(ctx, &corev1.ConfigMap{}, "default", "dockerfile-nodejs18")).To(BeTrue())
		Expect(world().exists(ctx, &corev1.Secret{}, kymaSystem, "serverless-manifest-cache")).To(BeTrue(), "it goes last")

		world().endBuild(ctx)
		// It would look by itself in a minute.
		world().edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Eventually(func(g Gomega) {
			world().makeAvailable(ctx, g, kymaSystem)
			g.Expect(world().exists(ctx, &corev1.Secret{}, kymaSystem, "serverless-manifest-cache")).To(BeFalse())
		}).Should(Succeed())
		world().lacks(ctx, &batchv1.Job{}, "default", "shop-build-x7c2k")
		world().lacks(ctx, &corev1.ConfigMap{}, "default", "dockerfile-nodejs18")
	})

	It("takes over the successor's objects, and leaves nothing of it", func(ctx SpecContext) {
		world().former(ctx, "buildless.yaml")
		before := get(ctx, world(), kymaSystem, module.ControllerName, &appsv1.Deployment{})
		spec := v1alpha1.ServerlessSpec{EnableNetworkPolicies: new(false)}
		world().install(ctx, serverless(kymaSystem, "default", spec), v1alpha1.StateReady)

		after := get(ctx, world(), kymaSystem, module.ControllerName, &appsv1.Deployment{})
		Expect(after.UID).NotTo(Equal(before.UID), "two controllers would work at once")
		Expect(after.Labels).NotTo(HaveKey("former"))
		pod := after.Spec.Template.Spec
		Expect(pod.Containers).To(HaveLen(1))
		Expect(pod.Containers[0].Args).NotTo(ContainElement("--former"))
		Expect(pod.Containers[0].Env).NotTo(ContainElement(HaveField("Name", "APP_FUNCTION_CONFIG_PATH")))
		Expect(pod.Containers[0].Ports).NotTo(ContainElement(HaveField("Name", "eject")))
		Expect(pod.Volumes).NotTo(ContainElement(HaveField("Name", "function-config")))
		world().lacks(ctx, &corev1.Secret{}, kymaSystem, "serverless-manifest-cache")
		world().lacks(ctx, &corev1.ConfigMap{}, kymaSystem, "serverless-config")
		world().lacks(ctx, &corev1.Service{}, kymaSystem, "serverless-eject")
		world().lacks(ctx, &networkingv1.NetworkPolicy{}, kymaSystem, "kyma-project.io--serverless-allow-to-dns")
	})

	It("goes on, and says so, when the original's record can't be read", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		cache := get(ctx, world(), kymaSystem, "serverless-manifest-cache", &corev1.Secret{})
		cache.Data["spec"] = []byte(`{"Manifest": "kind: [`)
		Expect(world().Update(ctx, cache)).To(Succeed())
		world().install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		world().lacks(ctx, cache, cache.Namespace, cache.Name)
		world().lacks(ctx, &corev1.ConfigMap{}, "kube-public", "functions")
		Eventually(func() []string { return eventTexts(ctx, world()) }).Should(ContainElement(
			HavePrefix("Installation: the list of former objects in Secret kyma-system/serverless-manifest-cache can't be read")))
		left := get(ctx, world(), kymaSystem, "serverless-dashboard", &corev1.ConfigMap{})
		Expect(world().Delete(ctx, left)).To(Succeed())
	})

	It("removes what the original left, too, when it is uninstalled before it runs", func(ctx SpecContext) {
		world().former(ctx, "original.yaml")
		object := serverless(kymaSystem, "default", internalRegistry())
		Expect(world().Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.Status.Conditions).NotTo(BeEmpty())
		}).Should(Succeed())
		Expect(world().Delete(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			world().makeAvailable(ctx, g, kymaSystem)
			g.Expect(world().exists(ctx, object, object.Namespace, object.Name)).To(BeFalse())
		}).Should(Succeed())
		for _, former := range readManifest("original.yaml") {
			Expect(world().exists(ctx, former, former.GetNamespace(), former.GetName())).To(BeFalse(), "%s %s", former.GetKind(), former.GetName())
		}
	})

	It("doesn't take its own function controller for a former one when somebody removes a label", func(ctx SpecContext) {
		world().install(ctx, serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{}), v1alpha1.StateReady)
		own := get(ctx, world(), kymaSystem, module.ControllerName, &appsv1.Deployment{})
		before := own.DeepCopy()
		delete(own.Labels, "app.kubernetes.io/managed-by")
		Expect(world().Patch(ctx, own, client.MergeFrom(before))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world().Get(ctx, client.ObjectKeyFromObject(own), own)).To(Succeed())
			g.Expect(own.Labels).To(HaveKey("app.kubernetes.io/managed-by"))
		}).Should(Succeed())
		Expect(own.UID).To(Equal(before.UID))
	})

	It("accepts settings that only the original's first releases had", func(ctx SpecContext) {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "operator.kyma-project.io/v1alpha1", "kind": "Serverless",
			"metadata": map[string]any{"name": "default", "namespace": kymaSystem},
			"spec":     map[string]any{"functionRequestBodyLimitMb": "1", "functionTimeoutSec": "180"},
		}}
		Expect(world().Create(ctx, object, client.FieldValidation(metav1.FieldValidationStrict))).To(Succeed())
		world().becomes(ctx, serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{}), v1alpha1.StateReady)
	})
}

// former plays the operator that was there before: it applies the manifest
// with its field manager, which is ours, and keeps it in its cache.
func (w *operatorWorld) former(ctx context.Context, file string) {
	GinkgoHelper()
	for _, object := range readManifest(file) {
		Expect(w.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("serverless-operator"), client.ForceOwnership)).To(Succeed())
	}
	text, err := os.ReadFile(filepath.Join("testdata", "upgrade", file))
	Expect(err).NotTo(HaveOccurred())
	record, err := json.Marshal(map[string]any{"ManagerUID": "1", "CustomFlags": map[string]any{}, "Manifest": string(text)})
	Expect(err).NotTo(HaveOccurred())
	Expect(w.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "serverless-manifest-cache"},
		Data:       map[string][]byte{"spec": record},
	})).To(Succeed())
}

// create plays the former function controller and webhook.
func (w *operatorWorld) create(ctx context.Context, file string) {
	GinkgoHelper()
	for _, object := range readManifest(file) {
		Expect(w.Create(ctx, object, client.FieldOwner("manager"))).To(Succeed())
	}
}

// endBuild plays the end of the former build.
func (w *operatorWorld) endBuild(ctx context.Context) {
	GinkgoHelper()
	job := get(ctx, w, "default", "shop-build-x7c2k", &batchv1.Job{})
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: "True", Reason: "CompletionsReached", LastTransitionTime: now},
		{Type: batchv1.JobComplete, Status: "True", Reason: "CompletionsReached", LastTransitionTime: now},
	}}
	Expect(w.Status().Update(ctx, job)).To(Succeed())
}

func readManifest(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("testdata", "upgrade", file))
	Expect(err).NotTo(HaveOccurred())
	objects, err := utils.ReadObjects(bytes.NewReader(text))
	Expect(err).NotTo(HaveOccurred())
	return objects
}

func (w *operatorWorld) exists(ctx context.Context, object client.Object, namespace, name string) bool {
	GinkgoHelper()
	err := w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return !apierrors.IsNotFound(err)
}

// lacks waits until the object is gone.
func (w *operatorWorld) lacks(ctx context.Context, object client.Object, namespace, name string) {
	GinkgoHelper()
	Eventually(func() bool { return w.exists(ctx, object, namespace, name) }).Should(BeFalse(), "%T %s", object, name)
}
