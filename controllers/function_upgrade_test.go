package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// functionUpgradeSpecs are about Functions that the original ran. Its
// Deployments have our selector and names of their own (contract/functions.md
// 2.6), so its Pods and ours serve together until ours do alone.
func functionUpgradeSpecs(w *functionWorld) {
	It("is served by its former Deployment until its own serves, which then is the only one", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "former")
		former := w.formerRun(ctx, fn)
		own := &appsv1.Deployment{ObjectMeta: child(fn)}
		Eventually(func() error { return w.Get(ctx, client.ObjectKeyFromObject(own), own) }).Should(Succeed())
		w.stillServes(ctx, fn, former)
		Expect(own.Spec.Selector).To(Equal(former.Spec.Selector))

		w.playDeployment(ctx, fn)
		Eventually(w.exists(ctx, former)).Should(BeFalse())
		Expect(w.deployment(ctx, Default, fn).UID).To(Equal(own.UID))
		Expect(w.formerService(ctx, Default, fn).Annotations).To(HaveKeyWithValue("prometheus.io/port", "8080"))
		w.becomesReady(ctx, fn)
	})

	It("of a runtime that is gone is served by its former Deployment, and says what to use", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "outdated")
		fn.Spec.Runtime = "nodejs18"
		former := w.formerRun(ctx, fn)
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			Equal("cannot find runtime: nodejs18 is not offered by this installation; set spec.runtime to nodejs22"))
		w.stillServes(ctx, fn, former)
		Expect(w.deployment(ctx, Default, fn).UID).To(Equal(former.UID), "there is no other")

		By("following that")
		w.change(ctx, fn, func() { fn.Spec.Runtime = "nodejs22" })
		w.playDeployment(ctx, fn)
		Eventually(w.exists(ctx, former)).Should(BeFalse())
		w.becomesReady(ctx, fn)
	})
}

// formerRun creates a Function as the original left it: with a Deployment that
// serves, and a Service.
func (w *functionWorld) formerRun(ctx context.Context, fn *v1alpha2.Function) *appsv1.Deployment {
	GinkgoHelper()
	Expect(w.Create(ctx, fn)).To(Succeed())
	meta := metav1.ObjectMeta{
		Namespace: fn.Namespace, Name: fn.Name + "-7xq2p", Labels: workload.Labels(fn), OwnerReferences: workload.OwnerReferences(fn),
	}
	labels := workload.SelectorLabels(fn)
	former := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "function", Image: nodesRegistry + "/former:1"}}},
		},
	}}
	Expect(w.Create(ctx, former, client.FieldOwner("manager"))).To(Succeed())
	service := workload.Service(fn)
	_, err := controllerutil.CreateOrUpdate(ctx, w, service, func() error {
		service.Annotations["prometheus.io/port"] = "80"
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
	former.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	Expect(w.Status().Update(ctx, former)).To(Succeed())
	return former
}

// stillServes tells that the former Deployment stays as it is, and gets the requests.
func (w *functionWorld) stillServes(ctx context.Context, fn *v1alpha2.Function, former *appsv1.Deployment) {
	GinkgoHelper()
	Consistently(func(g Gomega) {
		live := &appsv1.Deployment{}
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(former), live)).To(Succeed())
		g.Expect(live.Spec).To(Equal(former.Spec))
		g.Expect(live.DeletionTimestamp).To(BeNil())
		service := w.formerService(ctx, g, fn)
		g.Expect(service.Spec.Selector).To(Equal(former.Spec.Selector.MatchLabels))
	}).Should(Succeed())
}

func (w *functionWorld) formerService(ctx context.Context, g Gomega, fn *v1alpha2.Function) *corev1.Service {
	service := &corev1.Service{}
	g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), service)).To(Succeed())
	return service
}
