package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// What users' dashboards, network policies and scrapers rely on
// (contract/functions.md 2.6, 3.2 and 3.5, checks 45 to 53, 61 and 66).
var _ = Describe("The objects of a Function", Ordered, func() {
	var (
		fn  *v1alpha2.Function
		url string
	)

	BeforeAll(func(ctx SpecContext) {
		fn = nodejs(restrictedNamespace(ctx), "shop", `module.exports = { main: () => process.env.GREETING ?? "none" };`, "")
		fn.Labels = map[string]string{"team": "blue"}
		fn.Spec.Labels = map[string]string{"tier": "front"}
		fn.Spec.Annotations = map[string]string{"note": "mine"}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("none"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
	})

	It("are a ConfigMap with the source, a Service and a Deployment", func(ctx SpecContext) {
		var maps corev1.ConfigMapList
		Expect(k8s.List(ctx, &maps, client.InNamespace(fn.Namespace), ofFunction(fn))).To(Succeed())
		Expect(maps.Items).To(HaveLen(1))
		Expect(maps.Items[0].Name).To(MatchRegexp(`^shop-[a-z0-9]{5}$`))
		Expect(maps.Items[0].Data).To(Equal(map[string]string{"source": fn.Spec.Source.Inline.Source, "dependencies": "{}"}))

		service := service(ctx, fn)
		Expect(service.Spec.Ports).To(ConsistOf(And(
			HaveField("Name", "http"), HaveField("Port", int32(80)), HaveField("TargetPort", intstr.FromInt32(8080)))))
		Expect(service.Annotations).To(And(HaveKeyWithValue("prometheus.io/scrape", "true"),
			HaveKeyWithValue("prometheus.io/port", "8080"), HaveKeyWithValue("prometheus.io/path", "/metrics")))

		deployment := deployment(ctx, fn)
		selector := map[string]string{
			v1alpha2.LabelFunctionName: "shop", v1alpha2.LabelManagedBy: "function-controller",
			v1alpha2.LabelUUID: string(fn.UID), v1alpha2.LabelResource: "deployment",
		}
		Expect(deployment.Spec.Selector.MatchLabels).To(Equal(selector))
		Expect(service.Spec.Selector).To(Equal(selector))
		for _, object := range []client.Object{&maps.Items[0], service, deployment} {
			Expect(object.GetLabels()).To(HaveKeyWithValue("team", "blue"))
			Expect(metav1.IsControlledBy(object, fn)).To(BeTrue())
		}
	})

	It("run it as the contract says", func(ctx SpecContext) {
		pod := deployment(ctx, fn).Spec.Template
		Expect(pod.Labels).To(And(HaveKeyWithValue("app.kubernetes.io/name", "shop"), HaveKeyWithValue("tier", "front"), Not(HaveKey("team"))))
		Expect(pod.Annotations).To(And(HaveKeyWithValue("note", "mine"), HaveKey("proxy.istio.io/config")))
		Expect(pod.Spec.ServiceAccountName).To(Equal("serverless-function"))
		Expect(*pod.Spec.SecurityContext.RunAsUser).To(Equal(int64(10001)))
		container := pod.Spec.Containers[0]
		Expect(container.Name).To(Equal("function"))
		Expect(*container.SecurityContext.ReadOnlyRootFilesystem).To(BeTrue())
		Expect(container.ReadinessProbe.HTTPGet).To(And(HaveField("Path", "/healthz"), HaveField("Port", intstr.FromInt32(8080))))
		Expect(pod.Spec.Volumes).To(ContainElement(And(HaveField("Name", "tmp-dir"),
			HaveField("EmptyDir.SizeLimit", WithTransform(func(q *resource.Quantity) string { return q.String() }, Equal("100Mi"))))))
		Expect(fn.Status.PodSelector).NotTo(BeEmpty())
		Expect(fn.Status.FunctionResourceProfile).To(Equal("XS"))
		Expect(fn.Status.BuildResourceProfile).To(Equal("slow"))
	})

	It("take other settings without a build", func(ctx SpecContext) {
		before := image(ctx, fn)
		size := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("60m"), corev1.ResourceMemory: resource.MustParse("100Mi")}
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
			spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{
				Function: &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{Requests: size, Limits: size}}}
		})
		Eventually(answer(url)).Should(Equal("hello"))
		Expect(image(ctx, fn)).To(Equal(before))
		Expect(deployment(ctx, fn).Spec.Template.Spec.Containers[0].Resources.Limits).To(Equal(size))
		Eventually(func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)
			return fn.Status.FunctionResourceProfile, err
		}).Should(Equal("custom"))
	})

	It("take new labels without new Pods", func(ctx SpecContext) {
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		before := deployment(ctx, fn).Spec.Template
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn); err != nil {
				return err
			}
			fn.Labels["team"] = "green"
			return k8s.Update(ctx, fn)
		}).Should(Succeed())
		Eventually(func() string { return deployment(ctx, fn).Labels["team"] }).Should(Equal("green"))
		Eventually(func() string { return service(ctx, fn).Labels["team"] }).Should(Equal("green"))
		Expect(deployment(ctx, fn).Spec.Template).To(Equal(before))
	})

	It("are put right when somebody edits them", func(ctx SpecContext) {
		was := deployment(ctx, fn)
		changed := was.DeepCopy()
		changed.Spec.Template.Spec.Containers[0].Image, changed.Spec.Replicas = "registry.invalid/other:1", new(int32(4))
		Expect(k8s.Patch(ctx, changed, client.MergeFrom(was))).To(Succeed())
		served := service(ctx, fn)
		broken := served.DeepCopy()
		broken.Spec.Selector["app"] = "nothing"
		Expect(k8s.Patch(ctx, broken, client.MergeFrom(served))).To(Succeed())
		Eventually(func(g Gomega) {
			spec := deployment(ctx, fn).Spec
			g.Expect(spec.Template.Spec.Containers[0].Image).To(Equal(was.Spec.Template.Spec.Containers[0].Image))
			g.Expect(*spec.Replicas).To(Equal(int32(1)))
			g.Expect(service(ctx, fn).Spec.Selector).To(Equal(served.Spec.Selector))
		}).Should(Succeed())
		Eventually(answer(url)).Should(Equal("hello"))
	})

	It("come back when somebody deletes them", func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, deployment(ctx, fn))).To(Succeed())
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("hello"))
	})
})

func ofFunction(fn *v1alpha2.Function) client.MatchingLabels {
	return client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name}
}

func service(ctx context.Context, fn *v1alpha2.Function) *corev1.Service {
	GinkgoHelper()
	var service corev1.Service
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), &service)).To(Succeed())
	return &service
}

// deployment is the Function's only one.
func deployment(ctx context.Context, fn *v1alpha2.Function) *appsv1.Deployment {
	GinkgoHelper()
	var deployments appsv1.DeploymentList
	Expect(k8s.List(ctx, &deployments, client.InNamespace(fn.Namespace), ofFunction(fn))).To(Succeed())
	Expect(deployments.Items).To(HaveLen(1))
	return &deployments.Items[0]
}
