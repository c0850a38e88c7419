package controllers_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// refusal is a child that a policy of the cluster doesn't let be written, and
// how the Function says so.
type refusal struct {
	resource  metav1.GroupResource
	probe     client.Object
	condition v1alpha2.ConditionType
	reason    v1alpha2.ConditionReason
}

// message of the Function when the child can't be created, or updated.
func (r refusal) message(verb string) gomegatypes.GomegaMatcher {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", r.probe), "*")
	_, kind, _ = strings.Cut(kind, ".")
	return And(MatchRegexp("^%s refused[a-z0-9-]* %s error: ", kind, verb), ContainSubstring(closed))
}

// functionRefusalSpecs are about children whose writes a policy or a quota refuses.
func functionRefusalSpecs(w *functionWorld) {
	entries := []TableEntry{
		Entry("ConfigMap", refusal{metav1.GroupResource{Resource: "configmaps"}, &corev1.ConfigMap{},
			v1alpha2.ConditionConfigurationReady, v1alpha2.ReasonSourceUpdateFailed}),
		Entry("Deployment", refusal{metav1.GroupResource{Group: "apps", Resource: "deployments"}, probeDeployment(),
			v1alpha2.ConditionRunning, v1alpha2.ReasonDeploymentFailed}),
		Entry("Service", refusal{metav1.GroupResource{Resource: "services"}, probeService(),
			v1alpha2.ConditionRunning, v1alpha2.ReasonServiceFailed}),
		Entry("autoscaler", refusal{metav1.GroupResource{Group: "autoscaling", Resource: "horizontalpodautoscalers"}, probeAutoscaler(),
			v1alpha2.ConditionRunning, v1alpha2.ReasonHorizontalPodAutoscalerFailed}),
		Entry("disruption budget", refusal{metav1.GroupResource{Group: "policy", Resource: "poddisruptionbudgets"}, &policyv1.PodDisruptionBudget{},
			v1alpha2.ConditionRunning, v1alpha2.ReasonPodDisruptionBudgetFailed}),
	}
	// scaled has a child of each kind.
	scaled := func(namespace string) *v1alpha2.Function {
		fn := function(namespace, "refused")
		fn.Spec.ScaleConfig = between(2, 3)
		return fn
	}

	DescribeTable("when created, it says so, and goes on once that is allowed", func(ctx SpecContext, refused refusal) {
		namespace := w.newNamespace(ctx)
		allow := w.refuse(ctx, namespace, refused)
		fn := scaled(namespace)
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, refused.condition, corev1.ConditionFalse, refused.reason, refused.message("create"))
		allow(ctx)
		w.becomesReady(ctx, fn)
	}, entries)

	DescribeTable("when edited, it says so, keeps no revision, and goes on once that is allowed", func(ctx SpecContext, refused refusal) {
		fn := scaled(w.newNamespace(ctx))
		w.run(ctx, fn)
		former := w.newRevision(ctx, fn, "")
		allow := w.refuse(ctx, fn.Namespace, refused)
		fn.Labels = map[string]string{"team": "shop"}
		fn.Spec.Source.Inline.Source += "// edited"
		Expect(w.Update(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, refused.condition, corev1.ConditionFalse, refused.reason, refused.message("update"))
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
	name := namespace + "-" + refused.resource.Resource
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{refused.resource.Group}, APIVersions: []string{"*"}, Resources: []string{refused.resource.Resource}},
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
	Eventually(func() error {
		probe := refused.probe.DeepCopyObject().(client.Object)
		probe.SetNamespace(namespace)
		probe.SetName("probe")
		return w.Create(ctx, probe, client.DryRunAll)
	}).Should(MatchError(apierrors.IsForbidden, "IsForbidden"), "the policy is in force")
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

func probeService() *corev1.Service {
	return &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
}

func probeAutoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "probe"}, MaxReplicas: 2,
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
