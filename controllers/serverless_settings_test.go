package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/preset"
)

// settingsSpecs are about what the spec of a Serverless resource may say.
func settingsSpecs(started func() *operatorWorld) {
	// apply creates the resource as a manifest writes it, and returns it.
	apply := func(ctx SpecContext, spec map[string]any) *v1alpha1.Serverless {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Serverless"))
		object.SetNamespace(kymaSystem)
		object.SetName("default")
		Expect(started().Create(ctx, object)).To(Succeed())
		return serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
	}
	patch := func(ctx SpecContext, object *v1alpha1.Serverless, spec string) {
		Expect(started().Patch(ctx, object, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": %s}`, spec)))).To(Succeed())
	}

	It("takes numbers with quotes and without, and durations with units and without", func(ctx SpecContext) {
		world := started()
		object := apply(ctx, map[string]any{
			"targetCPUUtilizationPercentage": int64(70), "functionBuildMaxSimultaneousJobs": "3",
			"functionRequeueDuration": int64(300), "healthzLivenessTimeout": int64(20),
		})
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(object.Status.TargetCPUUtilizationPercentage).To(Equal("70"))
		Expect(object.Status.FunctionBuildMaxSimultaneousJobs).To(Equal("3"))
		Expect(object.Status.FunctionRequeueDuration).To(Equal("300"))
		Expect(object.Status.HealthzLivenessTimeout).To(Equal("20"))
		env, err := world.env(ctx, kymaSystem)
		Expect(err).NotTo(HaveOccurred())
		Expect(env).To(And(
			HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"),
			HaveKeyWithValue("APP_FUNCTION_BUILD_MAX_SIMULTANEOUS_JOBS", "3")))

		patch(ctx, object, `{"functionBuildMaxSimultaneousJobs": 4, "healthzLivenessTimeout": "1m30s"}`)
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).Should(And(
			HaveKeyWithValue("APP_FUNCTION_BUILD_MAX_SIMULTANEOUS_JOBS", "4"),
			HaveKeyWithValue("APP_HEALTHZ_LIVENESS_TIMEOUT", "1m30s")))
	})

	It("tells each setting in the status, and passes it on to the function controller", func(ctx SpecContext) {
		world := started()
		spec := v1alpha1.ServerlessSpec{
			TargetCPUUtilizationPercentage: "70", FunctionRequeueDuration: "1m", FunctionBuildExecutorArgs: "--one=1,--two",
			FunctionBuildMaxSimultaneousJobs: "3", HealthzLivenessTimeout: "20", DefaultBuildJobPreset: "fast", DefaultRuntimePodPreset: "M",
			Eventing: &v1alpha1.Endpoint{Endpoint: "http://events.test"}, Tracing: &v1alpha1.Endpoint{Endpoint: "http://traces.test"},
			LogLevel: "warn", LogFormat: "console",
		}
		object := serverless(kymaSystem, "default", spec)
		world.install(ctx, object, v1alpha1.StateReady)
		status := object.Status
		status.Conditions = nil
		Expect(status).To(Equal(v1alpha1.ServerlessStatus{
			TargetCPUUtilizationPercentage: "70", FunctionRequeueDuration: "1m", FunctionBuildExecutorArgs: "--one=1,--two",
			FunctionBuildMaxSimultaneousJobs: "3", HealthzLivenessTimeout: "20", DefaultBuildJobPreset: "fast", DefaultRuntimePodPreset: "M",
			EventingEndpoint: "http://events.test", TracingEndpoint: "http://traces.test", LogLevel: "warn", LogFormat: "console",
			DockerRegistry: "k3d-kyma-registry:5000", State: v1alpha1.StateReady, Served: v1alpha1.ServedTrue,
		}))
		env, err := world.env(ctx, kymaSystem)
		Expect(err).NotTo(HaveOccurred())
		for name, value := range map[string]string{
			"APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE": "70",
			"APP_FUNCTION_REQUEUE_DURATION":                  "1m",
			"APP_FUNCTION_BUILD_EXECUTOR_ARGS":               "--one=1,--two",
			"APP_FUNCTION_BUILD_MAX_SIMULTANEOUS_JOBS":       "3",
			"APP_HEALTHZ_LIVENESS_TIMEOUT":                   "20",
			"APP_FUNCTION_PUBLISHER_PROXY_ADDRESS":           "http://events.test",
			"APP_FUNCTION_TRACE_COLLECTOR_ENDPOINT":          "http://traces.test",
		} {
			Expect(env).To(HaveKeyWithValue(name, value))
		}
		profiles, err := preset.Parse([]byte(env["APP_FUNCTION_RESOURCE_CONFIG"]))
		Expect(err).NotTo(HaveOccurred())
		Expect(profiles.BuildJob.Resources.DefaultPreset).To(Equal("fast"))
		Expect(profiles.Function.Resources.DefaultPreset).To(Equal("M"))
	})

	It("changes the logs of running programs, and restarts none", func(ctx SpecContext) {
		world := started()
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		Expect(object.Status.LogLevel).To(Equal("info"))
		Expect(object.Status.LogFormat).To(Equal("json"))
		programs := []string{"serverless-ctrl-mngr", "serverless-webhook-svc"}
		generations := map[string]int64{}
		for _, name := range programs {
			generations[name] = get(ctx, world, kymaSystem, name, &appsv1.Deployment{}).Generation
		}

		patch(ctx, object, `{"logLevel": "debug", "logFormat": "console"}`)
		Eventually(func() map[string]string {
			return get(ctx, world, kymaSystem, "serverless-configuration", &corev1.ConfigMap{}).Data
		}).Should(HaveKeyWithValue("log-config.yaml", "logFormat: console\nlogLevel: debug\n"))
		Eventually(func() v1alpha1.ServerlessStatus {
			Expect(world.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			return object.Status
		}).Should(And(HaveField("LogLevel", "debug"), HaveField("State", v1alpha1.StateReady)))
		for _, name := range programs {
			deployment := get(ctx, world, kymaSystem, name, &appsv1.Deployment{})
			Expect(deployment.Generation).To(Equal(generations[name]))
			Expect(deployment.Spec.Template.Spec.Containers[0].VolumeMounts).To(ContainElement(And(
				HaveField("Name", "log-config"), HaveField("MountPath", "/appconfig"), HaveField("SubPath", ""))))
		}
		Eventually(func() []string { return eventTexts(ctx, world) }).Should(ContainElements(
			"Configuration: Log level set from 'info' to 'debug'", "Configuration: Log format set from 'json' to 'console'"))

		By("changing the operator's own, too, until the resource is gone")
		Eventually(world.log).Should(gbytes.Say(`\tINFO\tlog configuration changed\t{"logLevel": "debug", "logFormat": "console"}`))
		patch(ctx, object, `{"logLevel": "fatal", "logFormat": "json"}`)
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(world.Delete(ctx, object)).To(Succeed())
		world.vanishes(ctx, object)
		Eventually(world.log).Should(gbytes.Say(`"msg":"log configuration changed","logLevel":"info","logFormat":"json"`))
	})

	It("brings NetworkPolicies, unless they are not wanted", func(ctx SpecContext) {
		world := started()
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)
		policies := func() []string {
			list := &networkingv1.NetworkPolicyList{}
			Expect(world.List(ctx, list, client.InNamespace(kymaSystem))).To(Succeed())
			var names []string
			for _, policy := range list.Items {
				names = append(names, policy.Name)
			}
			return names
		}
		Expect(policies()).To(ConsistOf(
			"kyma-project.io--serverless-allow-egress",
			"kyma-project.io--serverless-allow-to-apiserver",
			"kyma-project.io--serverless-allow-to-dns",
			"kyma-project.io--serverless-allow-metrics",
			"kyma-project.io--serverless-allow-git-push",
			"kyma-project.io--serverless-allow-to-webhook",
			"kyma-project.io--serverless-allow-to-registry"))

		patch(ctx, object, `{"enableNetworkPolicies": false}`)
		Eventually(policies).Should(BeEmpty())
		patch(ctx, object, `{"enableNetworkPolicies": true, "dockerRegistry": {"enableInternal": false}}`)
		Eventually(policies).Should(And(HaveLen(6), Not(ContainElement("kyma-project.io--serverless-allow-to-registry"))))
	})

	It("names settings that cannot work before anything is applied, and goes on once they are corrected", func(ctx SpecContext) {
		world := started()
		object := apply(ctx, map[string]any{
			"targetCPUUtilizationPercentage": "abc", "healthzLivenessTimeout": int64(-1), "defaultRuntimePodPreset": "XXL",
		})
		world.becomes(ctx, object, v1alpha1.StateError)
		Expect(object).To(haveCondition("Configured", metav1.ConditionFalse, "ConfigurationErr",
			`spec.targetCPUUtilizationPercentage is "abc": use a whole number from 1 to 2147483647; `+
				`spec.healthzLivenessTimeout is "-1": use a number of seconds, or a duration with units, such as 90s, 5m or 1h30m; `+
				`spec.defaultRuntimePodPreset is "XXL": use one of XS, S, M, L, XL`))
		key := client.ObjectKey{Namespace: kymaSystem, Name: "serverless-ctrl-mngr"}
		Consistently(func() bool { return apierrors.IsNotFound(world.Get(ctx, key, &appsv1.Deployment{})) }).Should(BeTrue())

		patch(ctx, object, `{"targetCPUUtilizationPercentage": 60, "healthzLivenessTimeout": 10, "defaultRuntimePodPreset": "XL"}`)
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(object.Status.DefaultRuntimePodPreset).To(Equal("XL"))

		By("getting a mistake while it is installed")
		deployment := get(ctx, world, kymaSystem, key.Name, &appsv1.Deployment{})
		patch(ctx, object, `{"defaultBuildJobPreset": "XL"}`)
		world.becomes(ctx, object, v1alpha1.StateError)
		Expect(object).To(haveCondition("Configured", metav1.ConditionFalse, "ConfigurationErr",
			`spec.defaultBuildJobPreset is "XL": use one of local-dev, slow, normal, fast`))
		Expect(get(ctx, world, kymaSystem, key.Name, &appsv1.Deployment{}).Generation).To(Equal(deployment.Generation))
	})
}

// eventTexts are the reasons and messages of all events.
func eventTexts(ctx context.Context, world *operatorWorld) []string {
	GinkgoHelper()
	list := &corev1.EventList{}
	Expect(world.List(ctx, list, client.InNamespace(kymaSystem))).To(Succeed())
	var texts []string
	for _, event := range list.Items {
		texts = append(texts, event.Reason+": "+event.Message)
	}
	return texts
}
