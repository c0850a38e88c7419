package controllers_test

import (
	"context"
	"net/http"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

var _ = Describe("Serverless in trouble", Ordered, ContinueOnFailure, func() {
	var world *operatorWorld

	BeforeAll(func() { world = newOperatorWorld() })
	AfterEach(func(ctx SpecContext) {
		stop := world.runOperator(world.counting)
		world.removeAll(ctx)
		stop()
	})

	It("is installed, changed and removed by operators that die after each of their writes", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", internalRegistry())
		Expect(world.Create(ctx, object)).To(Succeed())
		ready := func(g Gomega) { world.isReady(ctx, g, object) }
		Expect(world.diesAfterEachWrite(ready)).To(BeNumerically(">", 20), "an installation takes more writes than that")
		credentials := registrySecret(ctx, world, kymaSystem).Data

		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Expect(world.diesAfterEachWrite(ready)).To(BeNumerically(">", 1), "a change takes more writes than that")
		Expect(world.env(ctx, kymaSystem)).To(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"))
		Expect(registrySecret(ctx, world, kymaSystem).Data).To(Equal(credentials))

		Expect(world.Delete(ctx, object)).To(Succeed())
		gone := func(g Gomega) {
			g.Expect(apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(object), object))).To(BeTrue())
		}
		Expect(world.diesAfterEachWrite(gone)).To(BeNumerically(">", 20), "a removal takes more writes than that")
		Expect(managedObjects(ctx, world)).To(BeEmpty())
	})

	It("takes over an installation of the original by operators that die after each of their writes", func(ctx SpecContext) {
		world.former(ctx, "original.yaml")
		world.create(ctx, "namespace.yaml")
		world.endBuild(ctx)
		volume := get(ctx, world, kymaSystem, module.RegistryName, &corev1.PersistentVolumeClaim{})
		object := serverless(kymaSystem, "default", internalRegistry())
		Expect(world.Create(ctx, object)).To(Succeed())
		Expect(world.diesAfterEachWrite(func(g Gomega) {
			world.isReady(ctx, g, object)
			g.Expect(world.exists(ctx, &corev1.Secret{}, kymaSystem, "serverless-manifest-cache")).To(BeFalse(), "it goes last")
		})).To(BeNumerically(">", 40), "a take-over takes more writes than that")
		Expect(string(registrySecret(ctx, world, kymaSystem).Data["password"])).To(Equal("former-password"))
		Expect(get(ctx, world, kymaSystem, module.RegistryName, &corev1.PersistentVolumeClaim{}).UID).To(Equal(volume.UID))
		for _, name := range []string{module.ControllerName, "serverless-webhook-svc", module.RegistryName} {
			deployment := get(ctx, world, kymaSystem, name, &appsv1.Deployment{})
			Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(HavePrefix("registry.test/"), name)
		}
		world.lacks(ctx, &corev1.ConfigMap{}, "default", "dockerfile-nodejs18")
		world.lacks(ctx, &corev1.ConfigMap{}, "kube-public", "functions")
		world.lacks(ctx, &batchv1.Job{}, "default", "shop-build-x7c2k")
	})

	It("is kept by two operators at once, which come to rest", func(ctx SpecContext) {
		for range 2 {
			DeferCleanup(world.runOperator(world.counting))
		}
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).
			Should(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"))
		world.becomes(ctx, object, v1alpha1.StateReady)
		world.settles()
		secret := registrySecret(ctx, world, kymaSystem)
		auth := get(ctx, world, kymaSystem, module.RegistryName, &corev1.Secret{})
		Expect(auth.Data).NotTo(BeEmpty())
		Expect(secret.Data).To(HaveKey("password"))
	})

	It("is installed by an API server that has too many requests for a while", func(ctx SpecContext) {
		// Each refusal costs a second, and a round asks about every object.
		const refusals = 10
		var requests, refused atomic.Int64
		throttling := func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if request.Method == http.MethodPatch && requests.Add(1)%4 == 0 && refused.Load() < refusals {
					refused.Add(1)
					return &http.Response{
						StatusCode: http.StatusTooManyRequests, Request: request, Body: http.NoBody,
						Header: http.Header{"Retry-After": {"1"}},
					}, nil
				}
				return next.RoundTrip(request)
			})
		}
		DeferCleanup(world.runOperator(throttling))
		world.install(ctx, serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{}), v1alpha1.StateReady)
		Expect(refused.Load()).To(BeNumerically("==", refusals))
	})

	It("applies what it can while others' webhook refuses an object, says which, and recovers", func(ctx SpecContext) {
		foreign := foreignWebhook("networkpolicies")
		Expect(world.Create(ctx, foreign)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(world.Delete(ctx, foreign))).To(Succeed()) })
		DeferCleanup(world.runOperator(world.counting))
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{EnableNetworkPolicies: new(true)})
		Expect(world.Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			installed := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionInstalled))
			g.Expect(installed).NotTo(BeNil())
			g.Expect(installed.Reason).To(Equal(string(v1alpha1.ReasonInstallationErr)))
			g.Expect(installed.Message).To(And(ContainSubstring("NetworkPolicy/kyma-system/"), ContainSubstring("policy.example.com")))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateError))
		get(ctx, world, kymaSystem, "serverless-ctrl-mngr", &appsv1.Deployment{})

		Expect(world.Delete(ctx, foreign)).To(Succeed())
		world.becomes(ctx, object, v1alpha1.StateReady)
		policies := &networkingv1.NetworkPolicyList{}
		Expect(world.List(ctx, policies, client.InNamespace(kymaSystem))).To(Succeed())
		Expect(policies.Items).NotTo(BeEmpty())
	})

	It("applies what it can while a policy of the cluster forbids an object, says which and why, and recovers", func(ctx SpecContext) {
		world.forbidDeployment(ctx, "serverless-webhook-svc", "only with a label of the cost centre")
		DeferCleanup(world.runOperator(world.counting))
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		Expect(world.Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			installed := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionInstalled))
			g.Expect(installed).NotTo(BeNil())
			g.Expect(installed.Reason).To(Equal(string(v1alpha1.ReasonInstallationErr)))
			g.Expect(installed.Message).To(And(
				ContainSubstring("Deployment/kyma-system/serverless-webhook-svc"), ContainSubstring("only with a label of the cost centre")))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateError))
		get(ctx, world, kymaSystem, "serverless-ctrl-mngr", &appsv1.Deployment{})

		world.allowDeployments(ctx)
		world.becomes(ctx, object, v1alpha1.StateReady)
	})

	It("says what others' webhook, which is down, keeps from being deleted, and goes on when it is gone", func(ctx SpecContext) {
		DeferCleanup(world.runOperator(world.counting))
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		foreign := foreignWebhook("networkpolicies")
		foreign.Webhooks[0].Rules[0].Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Delete}
		Expect(world.Create(ctx, foreign)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(world.Delete(ctx, foreign))).To(Succeed()) })
		Expect(world.Delete(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			deleted := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionDeleted))
			g.Expect(deleted).NotTo(BeNil())
			g.Expect(deleted.Reason).To(Equal(string(v1alpha1.ReasonDeletionErr)))
			g.Expect(deleted.Message).To(And(ContainSubstring("kyma-project.io--serverless-"), ContainSubstring("policy.example.com")))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateError))

		Expect(world.Delete(ctx, foreign)).To(Succeed())
		world.vanishes(ctx, object)
		Expect(managedObjects(ctx, world)).To(BeEmpty())
	})

	It("is not ready while a rollout goes on, and names the Pod that can't run", func(ctx SpecContext) {
		DeferCleanup(world.runOperator(world.counting))
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		deployment := get(ctx, world, kymaSystem, "serverless-ctrl-mngr", &appsv1.Deployment{})
		deployment.Status.UpdatedReplicas = 0
		Expect(world.Status().Update(ctx, deployment)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Installed", metav1.ConditionUnknown, "Installation",
				"Waiting for Deployment serverless-ctrl-mngr: 0 of 1 replicas are updated"))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateProcessing))

		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "manager", Labels: deployment.Spec.Selector.MatchLabels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "manager", Image: "i"}}},
		}
		Expect(world.Create(ctx, pod)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed()) })
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "manager", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
		Expect(world.Status().Update(ctx, pod)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Installed", metav1.ConditionUnknown, "Installation",
				"Waiting for Deployment serverless-ctrl-mngr: Pod manager: ImagePullBackOff: no such image"))
		}).Should(Succeed())
	})

	It("says that nothing provides a volume for the registry, and is ready once something does", func(ctx SpecContext) {
		DeferCleanup(world.runOperator(world.counting))
		object := serverless(kymaSystem, "default", internalRegistry())
		Expect(world.Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			installed := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionInstalled))
			g.Expect(installed).NotTo(BeNil())
			g.Expect(installed.Message).To(ContainSubstring(
				"PersistentVolumeClaim serverless-docker-registry: the cluster has no default storage class"))
		}).Should(Succeed())

		// What the control plane does when a class becomes the default.
		claim := get(ctx, world, kymaSystem, module.RegistryName, &corev1.PersistentVolumeClaim{})
		claim.Spec.StorageClassName = new("standard")
		Expect(world.Update(ctx, claim)).To(Succeed())
		claim.Status.Phase = corev1.ClaimBound
		Expect(world.Status().Update(ctx, claim)).To(Succeed())
		world.becomes(ctx, object, v1alpha1.StateReady)
	})

	It("follows the registry Secret of the user", func(ctx SpecContext) {
		DeferCleanup(world.runOperator(world.counting))
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "mine"},
			StringData: map[string]string{
				"username": "u", "password": "p", "serverAddress": "https://registry.example.com", "registryAddress": "registry.example.com/a",
			},
		}
		Expect(world.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, secret)).To(Succeed()) })
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{DockerRegistry: &v1alpha1.DockerRegistry{SecretName: new("mine")}})
		world.install(ctx, object, v1alpha1.StateReady)
		secret.StringData = map[string]string{"registryAddress": "registry.example.com/b"}
		Expect(world.Update(ctx, secret)).To(Succeed())
		Eventually(func() string { return string(registrySecret(ctx, world, kymaSystem).Data["registryAddress"]) }).
			Should(Equal("registry.example.com/b"))
	})
})

// diesAfterEachWrite runs one operator after another, each until its first
// write, until the condition holds. It returns how many died.
func (w *operatorWorld) diesAfterEachWrite(reached func(Gomega)) int {
	GinkgoHelper()
	for died := 0; ; died++ {
		killer := &killer{path: "/", at: 1}
		stop := w.runOperator(killer.wrap)
		dead := false
		Eventually(func(g Gomega) {
			if dead = killer.dead(); !dead {
				reached(g)
				// It may have been the last write that reached it.
				dead = killer.dead()
			}
		}).Should(Succeed())
		stop()
		if !dead {
			return died
		}
		Expect(died).To(BeNumerically("<", 200), "last write: %s", killer.last())
	}
}

// isReady asks for what a resource wants, while everything becomes available.
func (w *operatorWorld) isReady(ctx context.Context, g Gomega, object *v1alpha1.Serverless) {
	w.makeAvailable(ctx, g, object.Namespace)
	g.Expect(w.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	g.Expect(object.Status.State).To(Equal(v1alpha1.StateReady), "conditions: %v", object.Status.Conditions)
	installed := meta.FindStatusCondition(object.Status.Conditions, string(v1alpha1.ConditionInstalled))
	g.Expect(installed.ObservedGeneration).To(Equal(object.Generation))
}

// forbidDeployment lets a policy of the cluster refuse the Deployment of a name.
func (w *operatorWorld) forbidDeployment(ctx context.Context, name, message string) {
	GinkgoHelper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				ResourceNames: []string{name},
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				},
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: message}},
		},
	}
	Expect(w.Create(ctx, policy)).To(Succeed())
	Expect(w.Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	})).To(Succeed())
	DeferCleanup(w.allowDeployments)
	selected := map[string]string{"app": name}
	refused := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: selected},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: selected},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
			},
		},
	}
	Eventually(func() error { return w.Create(ctx, refused.DeepCopy(), client.DryRunAll) }).
		Should(MatchError(ContainSubstring(message)), "a new policy takes a moment")
}

// allowDeployments takes the policy away.
func (w *operatorWorld) allowDeployments(ctx context.Context) {
	GinkgoHelper()
	name := metav1.ObjectMeta{Name: "foreign"}
	Expect(client.IgnoreNotFound(w.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: name}))).To(Succeed())
	Expect(client.IgnoreNotFound(w.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: name}))).To(Succeed())
}

// foreignWebhook is one of somebody else whose service is down.
func foreignWebhook(resource string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "policy.example.com",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")},
			FailurePolicy:           new(admissionregistrationv1.Fail),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource},
				},
			}},
		}},
	}
}
