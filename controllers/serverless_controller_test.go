package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/module"
)

const kymaSystem = "kyma-system"

// One resource is in effect in a cluster, so the specs run one after another.
var _ = Describe("Serverless", Ordered, ContinueOnFailure, func() {
	var world *operatorWorld

	BeforeAll(func() { world = startOperator() })
	AfterEach(func(ctx SpecContext) { world.removeAll(ctx) })

	It("installs the module with the k3d registry by default", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)

		Expect(object.Finalizers).To(ConsistOf("serverless-operator.kyma-project.io/deletion-hook"))
		Expect(object).To(haveCondition("Configured", metav1.ConditionTrue, "Configured", "Configuration ready"))
		Expect(object).To(haveCondition("Installed", metav1.ConditionTrue, "Installed", "Serverless installed"))
		Expect(object.Status.Served).To(Equal(v1alpha1.ServedTrue))
		Expect(object.Status.DockerRegistry).To(Equal("k3d-kyma-registry:5000"))
		Expect(object.Status.EventingEndpoint).To(Equal("http://eventing-publisher-proxy.kyma-system.svc.cluster.local/publish"))
		Expect(object.Status.DefaultBuildJobPreset).To(Equal("slow"))
		Expect(object.Status.DefaultRuntimePodPreset).To(Equal("XS"))

		secret := registrySecret(ctx, world, kymaSystem)
		Expect(secret.Type).To(Equal(corev1.SecretTypeDockerConfigJson))
		Expect(secret.Labels).To(HaveKeyWithValue("serverless.kyma-project.io/config", "credentials"))
		Expect(string(secret.Data["isInternal"])).To(Equal("false"))
		Expect(string(secret.Data["serverAddress"])).To(Equal("k3d-kyma-registry:5000"))
		Expect(string(secret.Data["registryAddress"])).To(Equal("k3d-kyma-registry:5000"))
		Expect(secret.Annotations).To(HaveKey("serverless-manager.kyma-project.io/managed-by-serverless-manager-disclaimer"))
	})

	It("names what it waits for", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		Expect(world.Create(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object).To(haveCondition("Installed", metav1.ConditionUnknown, "Installation",
				"Waiting for Deployment serverless-ctrl-mngr: its change is not observed yet; "+
					"Deployment serverless-webhook-svc: its change is not observed yet"))
		}).Should(Succeed())
		Expect(object.Status.State).To(Equal(v1alpha1.StateProcessing))
	})

	It("tells that a second resource is redundant, and promotes it later", func(ctx SpecContext) {
		first := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, first, v1alpha1.StateReady)
		second := serverless("default", "second", v1alpha1.ServerlessSpec{})
		world.install(ctx, second, v1alpha1.StateWarning)

		Expect(second.Status.Served).To(Equal(v1alpha1.ServedFalse))
		Expect(second.Finalizers).To(BeEmpty())
		Expect(second).To(haveCondition("Configured", metav1.ConditionFalse, "ServerlessDuplicated",
			"Only one instance of Serverless is allowed (current served instance: kyma-system/default). "+
				"This Serverless CR is redundant. Remove it to fix the problem."))

		third := serverless("default", "third", v1alpha1.ServerlessSpec{})
		world.install(ctx, third, v1alpha1.StateWarning)
		Expect(world.Delete(ctx, third)).To(Succeed())
		Expect(apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(third), third))).To(BeTrue())
		world.becomes(ctx, first, v1alpha1.StateReady)

		Expect(world.Delete(ctx, first)).To(Succeed())
		world.becomes(ctx, second, v1alpha1.StateReady)
		Expect(second.Status.Served).To(Equal(v1alpha1.ServedTrue))
	})

	It("runs the module's own registry, and keeps its credentials", func(ctx SpecContext) {
		object := serverless("default", "elsewhere", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		Expect(object.Status.DockerRegistry).To(Equal("internal"))

		before := registrySecret(ctx, world, "default")
		Expect(string(before.Data["pullRegAddr"])).To(Equal("localhost:32137"))
		Expect(string(before.Data["pushRegAddr"])).To(Equal("serverless-docker-registry.default.svc.cluster.local:5000"))
		deployment := get(ctx, world, "default", module.RegistryName, &appsv1.Deployment{})
		service := get(ctx, world, "default", module.RegistryName, &corev1.Service{})
		Expect(service.Spec.Ports[0].NodePort).To(Equal(int32(32137)))

		By("reconciling again")
		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Eventually(func() (map[string]string, error) { return world.env(ctx, "default") }).
			Should(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"))
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(registrySecret(ctx, world, "default").Data).To(Equal(before.Data))
		Expect(get(ctx, world, "default", module.RegistryName, &appsv1.Deployment{}).Generation).To(Equal(deployment.Generation))

		By("switching it off")
		world.edit(ctx, object, func() { object.Spec.DockerRegistry = nil })
		key := client.ObjectKey{Namespace: "default", Name: module.RegistryName}
		for _, gone := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}, &corev1.PersistentVolumeClaim{}, &corev1.Secret{}} {
			Eventually(func() bool { return apierrors.IsNotFound(world.Get(ctx, key, gone)) }).Should(BeTrue(), "%T", gone)
		}
	})

	It("takes another node port when the usual one is held", func(ctx SpecContext) {
		holder := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "holder"},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, NodePort: 32137}}},
		}
		Expect(world.Create(ctx, holder)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, holder)).To(Succeed()) })
		world.install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		service := get(ctx, world, kymaSystem, module.RegistryName, &corev1.Service{})
		Expect(service.Spec.Ports[0].NodePort).To(And(BeNumerically(">=", 30000), BeNumerically("<", 32767), Not(BeEquivalentTo(32137))))
	})

	It("uses an external registry, and says when its Secret is missing", func(ctx SpecContext) {
		spec := internalRegistry()
		spec.DockerRegistry.SecretName = new("my-registry")
		object := serverless(kymaSystem, "default", spec)
		world.install(ctx, object, v1alpha1.StateError)
		Expect(object).To(haveCondition("Configured", metav1.ConditionFalse, "ConfigurationErr", `secrets "my-registry" not found`))

		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "my-registry"},
			StringData: map[string]string{
				"username": "u", "password": "p", "serverAddress": "https://server.test/v1/", "registryAddress": "server.test/team",
			},
		}
		Expect(world.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, secret)).To(Succeed()) })
		world.becomes(ctx, object, v1alpha1.StateWarning)
		Expect(object.Status.DockerRegistry).To(Equal("https://server.test/v1/"))
		Expect(object).To(haveCondition("Installed", metav1.ConditionTrue, "Installed",
			"Warning: spec.dockerRegistry.enableInternal is true and spec.dockerRegistry.secretName is used. "+
				"Delete the secretName field or set the enableInternal value to false"))
	})

	It("follows the tracing Service, unless an endpoint is asked for", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		tracing := func() string {
			Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			return object.Status.TracingEndpoint
		}
		Expect(tracing()).To(BeEmpty())

		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "telemetry-otlp-traces"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 4318}}},
		}
		Expect(world.Create(ctx, service)).To(Succeed())
		Eventually(tracing).Should(Equal("http://telemetry-otlp-traces.default.svc.cluster.local:4318/v1/traces"))
		Expect(world.Delete(ctx, service)).To(Succeed())
		Eventually(tracing).Should(BeEmpty())

		world.becomes(ctx, object, v1alpha1.StateReady)
		world.edit(ctx, object, func() {
			object.Spec.Tracing = &v1alpha1.Endpoint{Endpoint: "http://traces.test"}
			object.Spec.Eventing = &v1alpha1.Endpoint{Endpoint: ""}
		})
		Eventually(tracing).Should(Equal("http://traces.test"))
		Expect(object.Status.EventingEndpoint).To(BeEmpty())
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).Should(And(
			HaveKeyWithValue("APP_FUNCTION_TRACE_COLLECTOR_ENDPOINT", "http://traces.test"),
			HaveKeyWithValue("APP_FUNCTION_PUBLISHER_PROXY_ADDRESS", "")))
	})

	It("reports changed settings by events", func(ctx SpecContext) {
		world.install(ctx, serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{
			TargetCPUUtilizationPercentage: "70", FunctionRequeueDuration: "1m", FunctionBuildExecutorArgs: "--none",
			FunctionBuildMaxSimultaneousJobs: "3", HealthzLivenessTimeout: "20",
			Eventing: &v1alpha1.Endpoint{Endpoint: "http://events.test"}, Tracing: &v1alpha1.Endpoint{Endpoint: "http://traces.test"},
		}), v1alpha1.StateReady)
		Eventually(func() []string { return eventTexts(ctx, world) }).Should(ContainElements(
			"Configuration: CPU utilization set from '' to '70'",
			"Configuration: Function requeue duration set from '' to '1m'",
			"Configuration: Function build executor args set from '' to '--none'",
			"Configuration: Max number of simultaneous jobs set from '' to '3'",
			"Configuration: Duration of health check set from '' to '20'",
			"Configuration: Default build job preset set from '' to 'slow'",
			"Configuration: Default runtime pod preset set from '' to 'XS'",
			"Configuration: Eventing endpoint set from '' to 'http://events.test'",
			"Configuration: Tracing endpoint set from '' to 'http://traces.test'",
			"Configured: Configuration ready",
			"Installation: Installing for configuration",
			"Installed: Serverless installed",
		))
	})

	It("is blocked by Functions, and then removes everything", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		function := &v1alpha2.Function{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "f"},
			Spec: v1alpha2.FunctionSpec{
				Runtime: "nodejs22",
				Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: "module.exports = { main: () => 1 }"}},
			},
		}
		Eventually(func() error { return world.Create(ctx, function) }).Should(Succeed())
		credentials := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: module.RegistrySecretName, Labels: map[string]string{module.ConfigLabel: module.ConfigCredentials},
		}}
		taken := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "serverless-function",
			Labels: map[string]string{module.ConfigLabel: module.ConfigServiceAccount, module.CopyOwnerLabel: module.CopyOwnerUser},
		}}
		Expect(world.Create(ctx, credentials)).To(Succeed())
		Expect(world.Create(ctx, taken)).To(Succeed())

		Expect(world.Delete(ctx, object)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.Status.State).To(Equal(v1alpha1.StateWarning))
			g.Expect(object).To(haveCondition("Deleted", metav1.ConditionFalse, "DeletionErr",
				"found 1 items with VersionKind serverless.kyma-project.io/v1alpha2: default/f"))
		}).Should(Succeed())

		Expect(world.Delete(ctx, function)).To(Succeed())
		Eventually(func() bool { return apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(object), object)) }).Should(BeTrue())
		Expect(managedObjects(ctx, world)).To(BeEmpty())
		Expect(apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(credentials), credentials))).To(BeTrue())
		Expect(world.Get(ctx, client.ObjectKeyFromObject(taken), taken)).To(Succeed(), "what a user took over stays")
		Expect(world.Delete(ctx, taken)).To(Succeed())
	})

	It("reverts edits by hand and brings back what was deleted", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)

		deployment := get(ctx, world, kymaSystem, "serverless-ctrl-mngr", &appsv1.Deployment{})
		deployment.Spec.Template.Spec.Containers[0].Env[0].Value = "edited"
		deployment.Spec.Template.Spec.Containers[0].Env = append(deployment.Spec.Template.Spec.Containers[0].Env,
			corev1.EnvVar{Name: "ADDED", Value: "by hand"})
		Expect(world.Update(ctx, deployment, client.FieldOwner("kubectl-edit"))).To(Succeed())
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).Should(And(
			HaveKeyWithValue("APP_METRICS_ADDRESS", ":8080"), Not(HaveKey("ADDED"))))

		service := get(ctx, world, kymaSystem, "serverless-controller-manager", &corev1.Service{})
		Expect(world.Delete(ctx, service)).To(Succeed())
		Eventually(func() error { return world.Get(ctx, client.ObjectKeyFromObject(service), service) }).Should(Succeed())
	})

	It("writes nothing at rest", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		settled := world.settles()
		Consistently(func() int64 { return world.writes.Load() }).Should(Equal(settled))

		// A Service that is none of its objects wakes it, and changes nothing.
		touched := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: kymaSystem, Name: "touched", Labels: map[string]string{"app.kubernetes.io/managed-by": "serverless-operator"}},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		}
		Expect(world.Create(ctx, touched)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, touched)).To(Succeed()) })
		Consistently(func() int64 { return world.writes.Load() }).Should(Equal(settled))
		Expect(world.Get(ctx, client.ObjectKeyFromObject(touched), touched)).To(Succeed(), "another owner's object stays")
	})

	It("leaves the webhook's certificates to the webhook", func(ctx SpecContext) {
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		authority := []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
		secret := get(ctx, world, kymaSystem, "serverless-webhook", &corev1.Secret{})
		secret.Data = map[string][]byte{"ca-cert.pem": authority}
		Expect(world.Update(ctx, secret, client.FieldOwner("serverless-webhook"))).To(Succeed())
		validating := get(ctx, world, "", "validation.webhook.serverless.kyma-project.io", &admissionregistrationv1.ValidatingWebhookConfiguration{})
		validating.Webhooks[0].ClientConfig.CABundle = authority
		Expect(world.Update(ctx, validating, client.FieldOwner("serverless-webhook"))).To(Succeed())
		mutating := get(ctx, world, "", "defaulting.webhook.serverless.kyma-project.io", &admissionregistrationv1.MutatingWebhookConfiguration{})
		mutating.Webhooks[0].ClientConfig.CABundle = authority
		Expect(world.Update(ctx, mutating, client.FieldOwner("serverless-webhook"))).To(Succeed())

		settled := world.settles()
		Consistently(func() int64 { return world.writes.Load() }).Should(Equal(settled))
		unchanged := func() {
			GinkgoHelper()
			for _, written := range []client.Object{secret, validating, mutating} {
				version := written.GetResourceVersion()
				Expect(world.Get(ctx, client.ObjectKeyFromObject(written), written)).To(Succeed())
				Expect(written.GetResourceVersion()).To(Equal(version), "%T", written)
			}
		}
		unchanged()

		By("reconciling for another reason")
		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).
			Should(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"))
		world.becomes(ctx, object, v1alpha1.StateReady)
		unchanged()

		By("reverting what is its own")
		validating.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Fail)
		Expect(world.Update(ctx, validating, client.FieldOwner("kubectl-edit"))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(world.Get(ctx, client.ObjectKeyFromObject(validating), validating)).To(Succeed())
			g.Expect(validating.Webhooks[0].FailurePolicy).To(HaveValue(Equal(admissionregistrationv1.Ignore)))
		}).Should(Succeed())
		Expect(validating.Webhooks[0].ClientConfig.CABundle).To(Equal(authority))
	})
	serverlessResourceSpecs(func() *operatorWorld { return world })
	removalSpecs(func() *operatorWorld { return world })
	upgradeSpecs(func() *operatorWorld { return world })
	monitoringSpecs(func() *operatorWorld { return world })
	settingsSpecs(func() *operatorWorld { return world })
	manifestSpecs(func() *operatorWorld { return world })

	It("chooses larger presets in larger clusters", func(ctx SpecContext) {
		for _, name := range []string{"a", "b", "c"} {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
			Expect(world.Create(ctx, node)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(world.Delete(ctx, node)).To(Succeed()) })
		}
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		Expect(object.Status.DefaultBuildJobPreset).To(Equal("normal"))
		Expect(object.Status.DefaultRuntimePodPreset).To(Equal("L"))
	})
})

func get[T client.Object](ctx context.Context, world *operatorWorld, namespace, name string, object T) T {
	GinkgoHelper()
	Expect(world.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)).To(Succeed())
	return object
}

func registrySecret(ctx context.Context, world *operatorWorld, namespace string) *corev1.Secret {
	GinkgoHelper()
	return get(ctx, world, namespace, module.RegistrySecretName, &corev1.Secret{})
}
