package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// functionDriftSpecs are about what is taken back of others' changes, and what
// is not (contract/functions.md 2.6 and 12, checks 48, 53 and 61).
func functionDriftSpecs(w *functionWorld) {
	DescribeTable("corrects its Service",
		func(ctx SpecContext, edit func(*corev1.Service)) {
			fn := function(w.newNamespace(ctx), "edited")
			w.run(ctx, fn)
			service := &corev1.Service{}
			Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
			before := service.DeepCopy()
			edit(service)
			Expect(w.Update(ctx, service, client.FieldOwner("kubectl-edit"))).To(Succeed())
			Eventually(func(g Gomega) {
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
				g.Expect(service.Spec).To(Equal(before.Spec))
				g.Expect(service.Labels).To(Equal(before.Labels))
				g.Expect(service.Annotations).To(Equal(before.Annotations))
			}).Should(Succeed())
			w.becomesReady(ctx, fn)
		},
		Entry("with another selector", func(s *corev1.Service) { s.Spec.Selector[v1alpha2.LabelResource] = "other" }),
		Entry("with a narrower selector", func(s *corev1.Service) { s.Spec.Selector["version"] = "2" }),
		Entry("with another port", func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 }),
		Entry("with another target port", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(9090) }),
		Entry("without a label", func(s *corev1.Service) { delete(s.Labels, v1alpha2.LabelFunctionName) }),
		Entry("with other annotations", func(s *corev1.Service) { s.Annotations["prometheus.io/scrape"] = "false" }),
	)

	DescribeTable("corrects its Deployment, though the edit can't stay beside what is desired",
		func(ctx SpecContext, edit func(*corev1.Container)) {
			fn := function(w.newNamespace(ctx), "twisted")
			fn.Spec.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hi"}}
			w.run(ctx, fn)
			before := w.deployment(ctx, Default, fn)
			edited := before.DeepCopy()
			edit(&edited.Spec.Template.Spec.Containers[0])
			Expect(w.Update(ctx, edited, client.FieldOwner("kubectl-edit"))).To(Succeed())
			Eventually(func(g Gomega) { g.Expect(w.deployment(ctx, g, fn).Spec).To(Equal(before.Spec)) }).Should(Succeed())
			w.becomesReady(ctx, fn)

			By("still owning its fields alone")
			w.change(ctx, fn, func() { fn.Spec.Env = nil })
			w.becomesReady(ctx, fn)
			Expect(w.deployment(ctx, Default, fn).Spec.Template.Spec.Containers[0].Env).NotTo(ContainElement(HaveField("Name", "GREETING")))
		},
		Entry("a value from elsewhere", func(c *corev1.Container) {
			c.Env[0].Value = ""
			c.Env[0].ValueFrom = &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}
		}),
		Entry("a probe of another kind", func(c *corev1.Container) {
			c.ReadinessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}
		}),
	)

	It("leaves alone what others add to its children, also when it changes them", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "shared")
		w.run(ctx, fn)
		deployment, service := w.deployment(ctx, Default, fn), &corev1.Service{}
		deployment.Annotations["somebody.else/note"], deployment.Labels["somebody.else"] = "here", "here"
		template := &deployment.Spec.Template
		template.Annotations["somebody.else/note"], template.Labels["somebody.else"] = "here", "here"
		sidecar := corev1.Container{Name: "sidecar", Image: "sidecar:1"}
		template.Spec.Containers = append([]corev1.Container{sidecar}, template.Spec.Containers...)
		Expect(w.Update(ctx, deployment, client.FieldOwner("injector"))).To(Succeed())
		Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
		service.Annotations["somebody.else/note"], service.Labels["somebody.else"] = "here", "here"
		Expect(w.Update(ctx, service, client.FieldOwner("injector"))).To(Succeed())

		added := func(g Gomega) {
			deployment := w.deployment(ctx, g, fn)
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
			for _, object := range []metav1.Object{deployment, &deployment.Spec.Template, service} {
				g.Expect(object.GetAnnotations()).To(HaveKeyWithValue("somebody.else/note", "here"))
				g.Expect(object.GetLabels()).To(HaveKeyWithValue("somebody.else", "here"))
			}
			g.Expect(deployment.Spec.Template.Spec.Containers).To(ContainElement(HaveField("Name", "sidecar")))
		}
		w.becomesReady(ctx, fn)
		Consistently(added).Should(Succeed())
		w.change(ctx, fn, func() {
			fn.Labels = map[string]string{"team": "shop"}
			fn.Spec.Env = []corev1.EnvVar{{Name: "A", Value: "b"}}
		})
		w.becomesReady(ctx, fn)
		added(Default)
		Expect(service.Labels).To(HaveKeyWithValue("team", "shop"))
	})

	It("takes its own labels to its children, without a build and without new Pods", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "labelled")
		fn.Labels = map[string]string{"team": "shop", "stage": "test"}
		fn.Spec.Labels = map[string]string{"app": "shop"}
		fn.Spec.ScaleConfig = between(2, 3)
		w.run(ctx, fn)
		before := w.deployment(ctx, Default, fn)
		Expect(before.Spec.Template.Labels).To(Equal(map[string]string{
			v1alpha2.LabelFunctionName: "labelled", v1alpha2.LabelManagedBy: "function-controller", v1alpha2.LabelUUID: string(fn.UID),
			v1alpha2.LabelResource: "deployment", "app.kubernetes.io/name": "labelled", "app": "shop",
		}))
		w.change(ctx, fn, func() { fn.Labels = map[string]string{"team": "orders", v1alpha2.LabelManagedBy: "somebody"} })
		want := workload.InternalLabels(fn)
		want["team"] = "orders"
		Eventually(func(g Gomega) {
			for _, object := range w.children(fn) {
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				g.Expect(object.GetLabels()).To(Equal(want), "%T", object)
			}
		}).Should(Succeed())
		w.becomesReady(ctx, fn)
		Expect(w.deployment(ctx, Default, fn).Spec).To(Equal(before.Spec))
		Expect(w.jobs(ctx, fn.Namespace)).To(BeEmpty())
	})

	It("keeps its selector when labels of Pods are edited", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "relabelled")
		w.run(ctx, fn)
		before := w.deployment(ctx, Default, fn)
		w.change(ctx, fn, func() { fn.Spec.Labels = map[string]string{"app": "shop"} })
		w.becomesReady(ctx, fn)
		after := w.deployment(ctx, Default, fn)
		Expect(after.Spec.Selector).To(Equal(before.Spec.Selector))
		Expect(after.Spec.Template.Labels).To(HaveKeyWithValue("app", "shop"))
		Expect(after.UID).To(Equal(before.UID))
	})

	It("removes what it controls beside its children, once those serve, and nothing of others", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "migrated")
		Expect(w.Create(ctx, fn)).To(Succeed())
		extras := w.copies(ctx, fn, "migrated-qx7zp", workload.OwnerReferences(fn))
		users := w.copies(ctx, fn, "users-own", nil)
		Consistently(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(extras[0]), extras[0])).To(Succeed(), "it serves until ours does")
		}).Should(Succeed())
		w.playDeployment(ctx, fn)
		for _, extra := range extras {
			Eventually(w.exists(ctx, extra)).Should(BeFalse(), "%T", extra)
		}
		for _, users := range users {
			Expect(w.exists(ctx, users)()).To(BeTrue(), "%T", users)
		}
	})
}

// functionOfOriginalSpecs are about what an upgrade from the original implementation finds.
func functionOfOriginalSpecs(w *functionWorld) {
	It("serves on with a runtime that is not offered any more, until it gets another one", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "former")
		fn.Spec.Runtime = "nodejs18"
		Expect(w.Create(ctx, fn)).To(Succeed())
		owners := workload.OwnerReferences(fn)
		made := w.copies(ctx, fn, "former-x7k2p", owners)
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: fn.Name, Labels: workload.Labels(fn), OwnerReferences: owners},
			Spec:       corev1.ServiceSpec{Selector: workload.SelectorLabels(fn), Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
		}
		Expect(w.Create(ctx, service)).To(Succeed())
		const message = "cannot find runtime: nodejs18 is not offered by this installation; set spec.runtime to nodejs22"
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec, Equal(message))
		w.change(ctx, fn, func() { fn.Annotations = map[string]string{"looked-at": "again"} })
		Consistently(func(g Gomega) {
			for _, object := range append(made, service) {
				version := object.GetResourceVersion()
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
				g.Expect(object.GetResourceVersion()).To(Equal(version), "%T", object)
			}
		}).Should(Succeed())

		w.change(ctx, fn, func() { fn.Spec.Runtime = "nodejs22" })
		w.playDeployment(ctx, fn)
		for _, object := range made {
			Eventually(w.exists(ctx, object)).Should(BeFalse(), "%T", object)
		}
		w.becomesReady(ctx, fn)
		Expect(w.exists(ctx, service)()).To(BeTrue(), "its clients need not know")
	})
}

// children are the Function's objects, to be read.
func (w *functionWorld) children(fn *v1alpha2.Function) []client.Object {
	return []client.Object{
		&appsv1.Deployment{ObjectMeta: child(fn)}, &corev1.ConfigMap{ObjectMeta: child(fn)},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: child(fn)}, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: fn.Name}},
	}
}

// copies creates objects that look like the Function's children, as those of
// the original implementation do: a Deployment first.
func (w *functionWorld) copies(ctx context.Context, fn *v1alpha2.Function, name string, owners []metav1.OwnerReference) []client.Object {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: fn.Namespace, Name: name, Labels: workload.Labels(fn), OwnerReferences: owners}
	labels := workload.SelectorLabels(fn)
	objects := []client.Object{
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "function", Image: "former:1"}}},
			},
		}},
		&corev1.ConfigMap{ObjectMeta: meta},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha2.GroupVersion.String(), Kind: "Function", Name: fn.Name}, MaxReplicas: 3,
		}},
	}
	for _, object := range objects {
		Expect(w.Create(ctx, object)).To(Succeed())
	}
	return objects
}

// playDeployment says that the Pods of the Function's own Deployment serve.
func (w *functionWorld) playDeployment(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		deployment := &appsv1.Deployment{ObjectMeta: child(fn)}
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		g.Expect(w.Status().Update(ctx, deployment)).To(Succeed())
	}).Should(Succeed())
}
