package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// functionScalingSpecs are about the number of Pods (contract/functions.md 3.6 and 12, checks 41 and 56).
func functionScalingSpecs(w *functionWorld) {
	It("is scaled by its CPU utilization between its bounds, through its scale subresource", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "scaled")
		fn.Labels = map[string]string{"team": "shop"}
		fn.Spec.ScaleConfig = between(1, 3)
		w.run(ctx, fn)
		autoscaler := w.autoscaler(ctx, fn)
		Expect(autoscaler.Spec.ScaleTargetRef).To(Equal(autoscalingv2.CrossVersionObjectReference{
			APIVersion: "serverless.kyma-project.io/v1alpha2", Kind: "Function", Name: "scaled",
		}))
		Expect(autoscaler.Spec.MinReplicas).To(HaveValue(BeEquivalentTo(1)))
		Expect(autoscaler.Spec.MaxReplicas).To(BeEquivalentTo(3))
		Expect(autoscaler.Spec.Metrics).To(HaveExactElements(HaveField("Resource", HaveValue(Equal(autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
		})))))
		Expect(autoscaler.Labels).To(HaveKeyWithValue("team", "shop"))
		Expect(metav1.IsControlledBy(autoscaler, fn)).To(BeTrue())

		scaled := w.scale(ctx, fn)
		Expect(scaled.Status.Replicas).To(BeEquivalentTo(1))
		Expect(scaled.Status.Selector).To(Equal(labels.SelectorFromSet(workload.SelectorLabels(fn)).String()))

		w.change(ctx, fn, func() { fn.Spec.ScaleConfig = between(2, 5) })
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(autoscaler), autoscaler)).To(Succeed())
			g.Expect(autoscaler.Spec.MaxReplicas).To(BeEquivalentTo(5))
		}).Should(Succeed())
		w.becomesReady(ctx, fn)
		Expect(w.deployment(ctx, Default, fn).Spec.Replicas).To(HaveValue(BeEquivalentTo(2)), "the lower bound")
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElements(
			"Normal HorizontalPodAutoscalerCreated", "Normal HorizontalPodAutoscalerUpdated", "Normal ServiceCreated"))
	})

	DescribeTable("corrects its autoscaler",
		func(ctx SpecContext, edit func(*autoscalingv2.HorizontalPodAutoscalerSpec)) {
			fn := function(w.newNamespace(ctx), "corrected")
			fn.Spec.ScaleConfig = between(1, 3)
			w.run(ctx, fn)
			autoscaler := w.autoscaler(ctx, fn)
			before := autoscaler.DeepCopy()
			edit(&autoscaler.Spec)
			Expect(w.Update(ctx, autoscaler)).To(Succeed())
			Eventually(func(g Gomega) {
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(autoscaler), autoscaler)).To(Succeed())
				g.Expect(autoscaler.Spec).To(Equal(before.Spec))
			}).Should(Succeed())
			w.becomesReady(ctx, fn)
		},
		Entry("with other bounds", func(s *autoscalingv2.HorizontalPodAutoscalerSpec) { s.MaxReplicas = 100 }),
		Entry("with another utilization", func(s *autoscalingv2.HorizontalPodAutoscalerSpec) {
			s.Metrics[0].Resource.Target.AverageUtilization = new(int32(90))
		}),
		Entry("with one more metric", func(s *autoscalingv2.HorizontalPodAutoscalerSpec) {
			memory := s.Metrics[0].DeepCopy()
			memory.Resource.Name = corev1.ResourceMemory
			s.Metrics = append(s.Metrics, *memory)
		}),
		Entry("with another target", func(s *autoscalingv2.HorizontalPodAutoscalerSpec) { s.ScaleTargetRef.Name = "other" }),
	)

	It("keeps to the number that equal bounds give, without an autoscaler", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "pinned")
		fn.Spec.ScaleConfig = between(1, 3)
		w.run(ctx, fn)
		autoscaler := w.autoscaler(ctx, fn)
		w.change(ctx, fn, func() { fn.Spec.ScaleConfig = between(3, 3) })
		w.becomesReady(ctx, fn)
		Expect(w.deployment(ctx, Default, fn).Spec.Replicas).To(HaveValue(BeEquivalentTo(3)))
		Eventually(w.exists(ctx, autoscaler)).Should(BeFalse())
		Expect(w.scale(ctx, fn).Status.Replicas).To(BeEquivalentTo(3))
	})

	It("loses its autoscaler with its bounds, and no other", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "released")
		fn.Spec.ScaleConfig = between(1, 3)
		w.run(ctx, fn)
		own := w.autoscaler(ctx, fn)
		// One that a user, or KEDA, made for the Function.
		users := &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "keda-hpa-released", Labels: own.Labels}, Spec: *own.Spec.DeepCopy(),
		}
		Expect(w.Create(ctx, users)).To(Succeed())
		w.change(ctx, fn, func() { fn.Spec.ScaleConfig = nil })
		Eventually(w.exists(ctx, own)).Should(BeFalse())
		w.becomesReady(ctx, fn)
		version := users.ResourceVersion
		Expect(w.Get(ctx, client.ObjectKeyFromObject(users), users)).To(Succeed())
		Expect(users.ResourceVersion).To(Equal(version))
	})

	It("has one Pod by default, and as many as its scale subresource says, down to 0; no Pod that stays is replaced", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "manual")
		w.run(ctx, fn)
		Expect(fn.Spec.Replicas).To(HaveValue(BeEquivalentTo(1)))
		budget := &policyv1.PodDisruptionBudget{ObjectMeta: child(fn)}
		template := w.deployment(ctx, Default, fn).Spec.Template
		Expect(template.Spec.TopologySpreadConstraints).To(HaveExactElements(
			HaveField("TopologyKey", "kubernetes.io/hostname"), HaveField("TopologyKey", "topology.kubernetes.io/zone")))
		Expect(w.exists(ctx, budget)()).To(BeFalse())
		for _, replicas := range []int32{3, 0, 1} {
			w.setScale(ctx, fn, replicas)
			w.becomesReady(ctx, fn)
			Expect(w.deployment(ctx, Default, fn).Spec.Replicas).To(HaveValue(Equal(replicas)))
			Expect(w.deployment(ctx, Default, fn).Spec.Template).To(Equal(template))
			Expect(w.scale(ctx, fn).Status.Replicas).To(Equal(replicas))
			Eventually(w.exists(ctx, budget)).Should(Equal(replicas > 1), "a disruption budget with %d replicas", replicas)
		}
	})
}

func between(least, greatest int32) *v1alpha2.ScaleConfig {
	return &v1alpha2.ScaleConfig{MinReplicas: &least, MaxReplicas: &greatest}
}

// child is the metadata that finds a child of the Function.
func child(fn *v1alpha2.Function) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: fn.Namespace, Name: childName(fn)}
}

// autoscaler waits for the Function's.
func (w *functionWorld) autoscaler(ctx context.Context, fn *v1alpha2.Function) *autoscalingv2.HorizontalPodAutoscaler {
	GinkgoHelper()
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: child(fn)}
	Eventually(w.exists(ctx, autoscaler)).Should(BeTrue())
	return autoscaler
}

func (w *functionWorld) exists(ctx context.Context, object client.Object) func() (bool, error) {
	return func() (bool, error) {
		err := w.Get(ctx, client.ObjectKeyFromObject(object), object)
		return err == nil, client.IgnoreNotFound(err)
	}
}

// scale reads the Function's scale subresource.
func (w *functionWorld) scale(ctx context.Context, fn *v1alpha2.Function) *autoscalingv1.Scale {
	GinkgoHelper()
	scale := &autoscalingv1.Scale{}
	Expect(w.SubResource("scale").Get(ctx, fn, scale)).To(Succeed())
	return scale
}

// setScale writes the Function's scale subresource, as `kubectl scale` does.
func (w *functionWorld) setScale(ctx context.Context, fn *v1alpha2.Function, replicas int32) {
	GinkgoHelper()
	Eventually(func() error {
		scale := w.scale(ctx, fn)
		scale.Spec.Replicas = replicas
		err := w.SubResource("scale").Update(ctx, fn, client.WithSubResourceBody(scale))
		if apierrors.IsConflict(err) {
			return err
		}
		Expect(err).NotTo(HaveOccurred())
		return nil
	}).Should(Succeed())
}
