package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// refusal is a child that a policy of the cluster doesn't let be written, and
// how the Function says so.
type refusal struct {
	group, resource string
	probe           client.Object
	condition       v1alpha2.ConditionType
	reason          v1alpha2.ConditionReason
}

// functionRefusalSpecs are about children whose writes a policy or a quota refuses.
func functionRefusalSpecs(w *functionWorld) {
	entries := []TableEntry{
		Entry("ConfigMap", refusal{"", "configmaps", &corev1.ConfigMap{}, v1alpha2.ConditionConfigurationReady, v1alpha2.ReasonSourceUpdateFailed}),
		Entry("Deployment", refusal{"apps", "deployments", probeDeployment(), v1alpha2.ConditionRunning, v1alpha2.ReasonDeploymentFailed}),
		Entry("Service", refusal{"", "services", &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}, v1alpha2.ConditionRunning, v1alpha2.ReasonServiceFailed}),
	}

	DescribeTable("when created, it says so, and goes on once that is allowed", func(ctx SpecContext, refused refusal) {
		namespace := w.newNamespace(ctx)
		allow := w.refuse(ctx, namespace, refused)
		fn := function(namespace, "refused")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, refused.condition, corev1.ConditionFalse, refused.reason, ContainSubstring(closed))
		allow(ctx)
		w.becomesReady(ctx, fn)
	}, entries)

	DescribeTable("when edited, it says so, keeps no revision, and goes on once that is allowed", func(ctx SpecContext, refused refusal) {
		fn := function(w.newNamespace(ctx), "refused")
		w.run(ctx, fn)
		former := w.newRevision(ctx, fn, "")
		allow := w.refuse(ctx, fn.Namespace, refused)
		fn.Labels = map[string]string{"team": "shop"}
		fn.Spec.Source.Inline.Source += "// edited"
		Expect(w.Update(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, refused.condition, corev1.ConditionFalse, refused.reason, ContainSubstring(closed))
		w.rollOut(ctx, Default, w.deployment(ctx, Default, fn))
		Consistently(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Status.CurrentRevision).To(Equal(former))
			g.Expect(fn.Status.Condition(refused.condition).Status).To(Equal(corev1.ConditionFalse))
		}).Should(Succeed())
		allow(ctx)
		w.becomesReady(ctx, fn)
		w.newRevision(ctx, fn, former)
	}, entries)
}

// closed is what the policy says of a write.
const closed = "closed for the weekend"

// refuse has the API server refuse writes of the resource in the namespace,
// until allow is called.
func (w *functionWorld) refuse(ctx context.Context, namespace string, refused refusal) (allow func(context.Context)) {
	GinkgoHelper()
	forbidden := metav1.StatusReasonForbidden
	name := namespace + "-" + refused.resource
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{refused.group}, APIVersions: []string{"v1"}, Resources: []string{refused.resource}},
				}}},
			},
			Validations: []admissionv1.Validation{{Expression: "false", Message: closed, Reason: &forbidden}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	allow = func(ctx context.Context) {
		GinkgoHelper()
		Expect(client.IgnoreNotFound(w.Delete(ctx, binding))).To(Succeed())
		Expect(client.IgnoreNotFound(w.Delete(ctx, policy))).To(Succeed())
	}
	Expect(w.Create(ctx, policy)).To(Succeed())
	Expect(w.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { allow(ctx) })
	Eventually(func() bool {
		probe := refused.probe.DeepCopyObject().(client.Object)
		probe.SetNamespace(namespace)
		probe.SetName("probe")
		return apierrors.IsForbidden(w.Create(ctx, probe, client.DryRunAll))
	}).Should(BeTrue(), "the policy is in force")
	return allow
}

func probeDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "probe"}
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe:1"}}},
		},
	}}
}

// newRevision waits until the Function has another revision than the former.
func (w *functionWorld) newRevision(ctx context.Context, fn *v1alpha2.Function, former string) string {
	GinkgoHelper()
	Eventually(func(g Gomega) string {
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		return fn.Status.CurrentRevision
	}).ShouldNot(BeElementOf("", former))
	return fn.Status.CurrentRevision
}
