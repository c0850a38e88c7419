package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// functionChildrenSpecs are about objects that somebody else changes, too
// (contract/functions.md 12, checks 60 and 61).
func functionChildrenSpecs(w *functionWorld) {
	It("leaves a Service of its name alone that is somebody else's", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "taken"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 81}}},
		}
		Expect(w.Create(ctx, service)).To(Succeed())
		fn := function(namespace, "taken")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, v1alpha2.ConditionRunning, corev1.ConditionFalse, v1alpha2.ReasonServiceFailed,
			ContainSubstring("Service "+namespace+"/taken exists and belongs to something else"))
		version := service.ResourceVersion
		Expect(w.Get(ctx, client.ObjectKeyFromObject(service), service)).To(Succeed())
		Expect(service.ResourceVersion).To(Equal(version))
	})

	It("takes the place of a Function of its name once that one's Service is gone", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		former := function(namespace, "renewed")
		w.run(ctx, former)
		Expect(w.Delete(ctx, former)).To(Succeed())
		fn := function(namespace, "renewed")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, v1alpha2.ConditionRunning, corev1.ConditionFalse, v1alpha2.ReasonServiceFailed,
			ContainSubstring("exists and belongs to something else"))
		// As the garbage collector does.
		Expect(w.Delete(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "renewed"}})).To(Succeed())
		w.becomesReady(ctx, fn)
		var service corev1.Service
		Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), &service)).To(Succeed())
		Expect(service.Spec.Selector).To(HaveKeyWithValue(v1alpha2.LabelUUID, string(fn.UID)))
	})

	DescribeTable("corrects its Deployment",
		func(ctx SpecContext, replicas int32, edit func(*appsv1.Deployment)) {
			fn := function(w.newNamespace(ctx), "edited")
			fn.Spec.Replicas = &replicas
			w.run(ctx, fn)
			before := w.deployment(ctx, Default, fn)
			edited := before.DeepCopy()
			edit(edited)
			Expect(w.Update(ctx, edited)).To(Succeed())
			Expect(edited.Spec).NotTo(Equal(before.Spec))
			Eventually(func(g Gomega) { g.Expect(w.deployment(ctx, g, fn).Spec).To(Equal(before.Spec)) }).Should(Succeed())
			w.becomesReady(ctx, fn)
		},
		Entry("with another image", int32(1), func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "stranger:1" }),
		Entry("with more replicas", int32(1), func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(5)) }),
		Entry("with replicas of a Function that is stopped", int32(0), func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(1)) }),
		Entry("with fewer restrictions", int32(1), func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem = new(false)
		}),
		Entry("with a rollout that interrupts", int32(1), func(d *appsv1.Deployment) {
			d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntVal = 1
		}),
		Entry("with another environment", int32(1), func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env[0].Value = "other" }),
	)

	It("corrects its Service and its ConfigMap, and brings back what is deleted", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "children")
		w.run(ctx, fn)
		service := &corev1.Service{}
		Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
		service.Spec.Selector[v1alpha2.LabelUUID] = "other"
		Expect(w.Update(ctx, service)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
			g.Expect(service.Spec.Selector).To(HaveKeyWithValue(v1alpha2.LabelUUID, string(fn.UID)))
		}).Should(Succeed())

		configMap := &corev1.ConfigMap{}
		key := client.ObjectKey{Namespace: fn.Namespace, Name: childName(fn)}
		Expect(w.Get(ctx, key, configMap)).To(Succeed())
		configMap.Data["source"] = "other"
		Expect(w.Update(ctx, configMap)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, key, configMap)).To(Succeed())
			g.Expect(configMap.Data).To(HaveKeyWithValue("source", fn.Spec.Source.Inline.Source))
		}).Should(Succeed())

		Expect(w.Delete(ctx, service)).To(Succeed())
		Expect(w.Delete(ctx, w.deployment(ctx, Default, fn))).To(Succeed())
		Eventually(func() error { return w.Get(ctx, client.ObjectKeyFromObject(fn), service) }).Should(Succeed())
		w.becomesReady(ctx, fn)
	})

	It("says which mounted Secret its Pods wait for", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "mounting")
		fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "there", MountPath: "/run/there"}, {SecretName: "missing", MountPath: "/run/missing"}}
		there := metav1.ObjectMeta{Namespace: fn.Namespace, Name: "there"}
		Expect(w.Create(ctx, &corev1.Secret{ObjectMeta: there})).To(Succeed())
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, v1alpha2.ConditionRunning, corev1.ConditionUnknown, v1alpha2.ReasonDeploymentWaiting,
			Equal("Deployment "+childName(fn)+" is not ready yet; Secret missing doesn't exist: create it, or remove it from spec.secretMounts"))
		w.becomesReady(ctx, fn)
	})

	It("keeps what kubectl rollout restart wrote", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "restarted")
		w.run(ctx, fn)
		deployment := w.deployment(ctx, Default, fn)
		former := deployment.DeepCopy()
		deployment.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
		Expect(w.Patch(ctx, deployment, client.StrategicMergeFrom(former), client.FieldOwner("kubectl-rollout"))).To(Succeed())
		w.change(ctx, fn, func() { fn.Spec.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} })
		w.becomesReady(ctx, fn)
		Expect(w.deployment(ctx, Default, fn).Spec.Template.Annotations).To(
			HaveKeyWithValue("kubectl.kubernetes.io/restartedAt", "2026-01-01T00:00:00Z"))
		Expect(w.deployment(ctx, Default, fn).Spec.Template.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "A", Value: "b"}))
	})

	It("writes nothing when it is looked at again", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "resting")
		w.run(ctx, fn)
		// Events are written behind the reconciliation's back.
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Normal DeploymentReady"))
		writes, reconciled := w.writesTo(fn.Namespace), reconciliations()
		w.change(ctx, fn, func() { fn.Annotations = map[string]string{"looked-at": "again"} })
		Eventually(reconciliations).Should(BeNumerically(">", reconciled))
		version := fn.ResourceVersion
		Consistently(func(g Gomega) {
			g.Expect(w.writesTo(fn.Namespace)).To(Equal(writes))
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.ResourceVersion).To(Equal(version))
		}).Should(Succeed())
	})
}

// reconciliations is how many the Function controller has ended.
func reconciliations() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == "function" {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
