package e2e

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// module is the Serverless resource of the cluster.
var module = client.ObjectKey{Namespace: "kyma-system", Name: "default"}

// Each field of the Serverless resource, as those see it who use Functions
// (contract/functions.md 1.1, checks 1 to 26).
var _ = Describe("The Serverless resource", Serial, Ordered, func() {
	var (
		sample    operatorv1alpha1.ServerlessSpec
		namespace string
		fn        *v1alpha2.Function
		url       string
		calls     *caller
	)

	BeforeAll(func(ctx SpecContext) {
		sample = serverlessResource(ctx).Spec
		DeferCleanup(func(ctx SpecContext) {
			configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { *spec = sample })
			Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		})
		namespace = restrictedNamespace(ctx)
		fn = nodejs(namespace, "configured",
			`module.exports = { main: () => [process.env.TRACE_COLLECTOR_ENDPOINT, process.env.PUBLISHER_PROXY_ADDRESS].join() };`, "")
		fn.Spec.ScaleConfig = &v1alpha2.ScaleConfig{MinReplicas: new(int32(1)), MaxReplicas: new(int32(2))}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(HaveSuffix("eventing-publisher-proxy.kyma-system.svc.cluster.local/publish"))
		calls = callThroughout(url)
		DeferCleanup(func() { calls.stop() })
	})

	It("tells Functions where to send traces and events", func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) {
			spec.Tracing = &operatorv1alpha1.Endpoint{Endpoint: "http://traces.example.com/v1/traces"}
			spec.Eventing = &operatorv1alpha1.Endpoint{Endpoint: "http://events.example.com/publish"}
		})
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("http://traces.example.com/v1/traces,http://events.example.com/publish"))
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.Tracing, spec.Eventing = nil, nil })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal(",http://eventing-publisher-proxy.kyma-system.svc.cluster.local/publish"))
	})

	It("sets the CPU that scaling aims at", func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.TargetCPUUtilizationPercentage = "71" })
		Eventually(func(g Gomega) {
			var list autoscalingv2.HorizontalPodAutoscalerList
			g.Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			g.Expect(list.Items).To(HaveLen(1))
			g.Expect(list.Items[0].Spec.Metrics[0].Resource.Target.AverageUtilization).To(HaveValue(Equal(int32(71))))
		}).WithTimeout(ready).Should(Succeed())
	})

	It("sets the size of Functions and builds that name none", func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) {
			spec.DefaultRuntimePodPreset, spec.DefaultBuildJobPreset = "S", "fast"
		})
		Eventually(func(g Gomega) {
			g.Expect(deploymentOf(ctx, fn).Spec.Template.Spec.Containers[0].Resources.Requests.Memory()).To(HaveValue(Equal(resource.MustParse("128Mi"))))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Status.FunctionResourceProfile).To(Equal("S"))
		}).WithTimeout(ready).Should(Succeed())
		built := nodejs(namespace, "built", answering("built"), `{"dependencies": {"is-odd": "3.0.1"}}`)
		Expect(k8s.Create(ctx, built)).To(Succeed())
		Eventually(func(g Gomega) {
			var jobs batchv1.JobList
			g.Expect(k8s.List(ctx, &jobs, client.InNamespace(namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: built.Name})).To(Succeed())
			g.Expect(jobs.Items).To(HaveLen(1))
			g.Expect(jobs.Items[0].Spec.Template.Spec.Containers[0].Resources.Limits.Cpu()).To(HaveValue(Equal(resource.MustParse("1700m"))))
		}).WithTimeout(ready).Should(Succeed())
	})

	It("limits builds and sets the time of the liveness check", func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) {
			spec.FunctionBuildMaxSimultaneousJobs, spec.HealthzLivenessTimeout = "2", "20s"
		})
		Eventually(func(g Gomega) {
			controller, err := moduleDeployment(ctx, "serverless-ctrl-mngr")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(controller.Spec.Template.Spec.Containers[0].Env).To(ContainElements(
				corev1.EnvVar{Name: "APP_FUNCTION_BUILD_MAX_SIMULTANEOUS_JOBS", Value: "2"},
				corev1.EnvVar{Name: "APP_HEALTHZ_LIVENESS_TIMEOUT", Value: "20s"},
			))
			// The former Pod goes by the former limit.
			g.Expect(controller.Status).To(And(HaveField("ObservedGeneration", controller.Generation),
				HaveField("UpdatedReplicas", int32(1)), HaveField("Replicas", int32(1)), HaveField("AvailableReplicas", int32(1))))
		}).WithTimeout(ready).Should(Succeed())
		namespace := restrictedNamespace(ctx)
		jobs := watchJobs(ctx, namespace)
		var functions []*v1alpha2.Function
		for _, version := range []string{"3.0.0", "4.0.0", "5.0.0", "6.0.0"} {
			built := nodejs(namespace, "fn-"+version[:1], answering("built"), `{"dependencies": {"is-number": "`+version+`"}}`)
			Expect(k8s.Create(ctx, built)).To(Succeed())
			functions = append(functions, built)
		}
		for _, built := range functions {
			Eventually(condition(ctx, built, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		}
		Expect(jobs.most()).To(Equal(2))
	})

	It("brings its network policies, or not", func(ctx SpecContext) {
		policies := func() ([]string, error) {
			var list networkingv1.NetworkPolicyList
			err := k8s.List(ctx, &list, client.InNamespace(module.Namespace))
			var names []string
			for _, policy := range list.Items {
				names = append(names, policy.Name)
			}
			return names, err
		}
		const name = "kyma-project.io--serverless-allow-to-webhook"
		Eventually(policies).Should(ContainElement(name))
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.EnableNetworkPolicies = new(false) })
		Eventually(policies).WithTimeout(ready).Should(HaveEach(HavePrefix("kyma-project.io--serverless-operator-")))
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.EnableNetworkPolicies = nil })
		Eventually(policies).WithTimeout(ready).Should(ContainElement(name))
	})

	It("changes what running programs log", func(ctx SpecContext) {
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		programs := []string{"serverless-operator", "serverless-ctrl-mngr", "serverless-webhook-svc"}
		before := modulePods(ctx, programs...)
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.LogLevel, spec.LogFormat = "debug", "console" })
		for _, name := range programs {
			// The kubelet renews what is mounted every minute or so.
			Eventually(func() (string, error) {
				output, err := exec.CommandContext(ctx, "kubectl", "logs", "-n", module.Namespace, "deployment/"+name).CombinedOutput()
				return string(output), err
			}).WithTimeout(3 * time.Minute).WithPolling(time.Second).Should(MatchRegexp(`(?m)\tINFO\t.*log configuration changed\t\{"logLevel": "debug", "logFormat": "console"\}$`))
		}
		Expect(modulePods(ctx, programs...)).To(Equal(before))
	})

	It("says what it can't use, and leaves everything as it is", func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.TargetCPUUtilizationPercentage = "much" })
		Eventually(state(ctx, module)).Should(Equal("Error"))
		Expect(serverlessMessages(ctx, module)).To(ContainElement(HavePrefix(`spec.targetCPUUtilizationPercentage is "much": use a whole number`)))
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) {
			spec.TargetCPUUtilizationPercentage = ""
			spec.DockerRegistry = &operatorv1alpha1.DockerRegistry{SecretName: new("nowhere")}
		})
		Eventually(func() []string { return serverlessMessages(ctx, module) }).Should(ContainElement(ContainSubstring(`secrets "nowhere" not found`)))
		Expect(state(ctx, module)()).To(Equal("Error"))
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.DockerRegistry = sample.DockerRegistry })
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
	})

	It("has what somebody edits or deletes put right", func(ctx SpecContext) {
		controller, err := moduleDeployment(ctx, "serverless-ctrl-mngr")
		Expect(err).NotTo(HaveOccurred())
		image := controller.Spec.Template.Spec.Containers[0].Image
		former := controller.DeepCopy()
		controller.Spec.Template.Spec.Containers[0].Image = "example.com/other:1"
		Expect(k8s.Patch(ctx, controller, client.MergeFrom(former))).To(Succeed())
		webhook, err := moduleDeployment(ctx, "serverless-webhook-svc")
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Delete(ctx, webhook)).To(Succeed())
		service := &corev1.Service{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: module.Namespace, Name: "serverless-controller-manager"}, service)).To(Succeed())
		service.Spec.Ports[0].TargetPort = intstr.FromInt32(1)
		Expect(k8s.Update(ctx, service)).To(Succeed())
		Eventually(func(g Gomega) {
			controller, err := moduleDeployment(ctx, "serverless-ctrl-mngr")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(controller.Spec.Template.Spec.Containers[0].Image).To(Equal(image))
			restored, err := moduleDeployment(ctx, "serverless-webhook-svc")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(restored.UID).NotTo(Equal(webhook.UID))
			g.Expect(restored.Status.AvailableReplicas).To(BeNumerically(">", 0))
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(service), service)).To(Succeed())
			g.Expect(service.Spec.Ports[0].TargetPort).NotTo(Equal(intstr.FromInt32(1)))
		}).WithTimeout(ready).Should(Succeed())
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
	})

	It("names the Pod that finds no node, and is ready again when there is one", func(ctx SpecContext) {
		var nodes corev1.NodeList
		Expect(k8s.List(ctx, &nodes)).To(Succeed())
		taint := func(ctx context.Context, node *corev1.Node, taints ...corev1.Taint) {
			former := node.DeepCopy()
			node.Spec.Taints = taints
			Expect(k8s.Patch(ctx, node, client.MergeFrom(former))).To(Succeed())
		}
		for i := range nodes.Items {
			node := &nodes.Items[i]
			before := node.Spec.Taints
			taint(ctx, node, append(before, corev1.Taint{Key: "example.com/pressure", Effect: corev1.TaintEffectNoSchedule})...)
			DeferCleanup(func(ctx SpecContext) { taint(ctx, node, before...) })
		}
		for _, name := range modulePods(ctx, "serverless-webhook-svc") {
			Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: name}})).To(Succeed())
		}
		Eventually(func() []string { return serverlessMessages(ctx, module) }).WithTimeout(ready).Should(
			ContainElement(MatchRegexp("Waiting for Deployment serverless-webhook-svc: Pod .* can't be scheduled: .*untolerated taint")))
		Expect(state(ctx, module)()).To(Equal("Processing"))
		for i := range nodes.Items {
			taint(ctx, &nodes.Items[i])
		}
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
	})

	It("is the only one in effect", func(ctx SpecContext) {
		second := &operatorv1alpha1.Serverless{ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: "second"}}
		Expect(k8s.Create(ctx, second)).To(Succeed())
		key := client.ObjectKeyFromObject(second)
		Eventually(state(ctx, key)).Should(Equal("Warning"))
		Expect(serverlessMessages(ctx, key)).To(ContainElement(
			HavePrefix("Only one instance of Serverless is allowed (current served instance: kyma-system/default).")))
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		Eventually(state(ctx, key)).Should(Equal("gone"))
		Expect(state(ctx, module)()).To(Equal("Ready"))
	})

	It("failed no request of a Function all the while", func() {
		calls.stop()
		count, failures := calls.seen()
		Expect(count).To(BeNumerically(">", 100))
		Expect(failures).To(BeEmpty())
	})
})

func serverlessResource(ctx context.Context) *operatorv1alpha1.Serverless {
	GinkgoHelper()
	object := &operatorv1alpha1.Serverless{}
	Expect(k8s.Get(ctx, module, object)).To(Succeed())
	return object
}

// configure changes the Serverless resource, whatever the operator writes meanwhile.
func configure(ctx context.Context, change func(*operatorv1alpha1.ServerlessSpec)) {
	GinkgoHelper()
	Eventually(func() error {
		object := &operatorv1alpha1.Serverless{}
		if err := k8s.Get(ctx, module, object); err != nil {
			return err
		}
		change(&object.Spec)
		return k8s.Update(ctx, object)
	}).Should(Succeed())
}

func moduleDeployment(ctx context.Context, name string) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{}
	return deployment, k8s.Get(ctx, client.ObjectKey{Namespace: module.Namespace, Name: name}, deployment)
}

// modulePods are the names of the Pods of some of the module's Deployments.
func modulePods(ctx context.Context, deployments ...string) []string {
	GinkgoHelper()
	var names []string
	for _, name := range deployments {
		deployment, err := moduleDeployment(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		var pods corev1.PodList
		Expect(k8s.List(ctx, &pods, client.InNamespace(module.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))).To(Succeed())
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil {
				names = append(names, pod.Name)
			}
		}
	}
	return names
}
