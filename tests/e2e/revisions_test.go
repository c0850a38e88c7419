package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

var _ = Describe("A Function that is called all the time", func() {
	It("goes back by one annotation, from a change that works as from one that doesn't, with no Job and no failed request", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		pods := watchPods(ctx, namespace)
		fn := nodejs(namespace, "revised", firstSource, lodash)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
		first := currentRevision(ctx, fn, "")
		calls := callThroughout(url)
		defer calls.stop()

		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = secondSource })
		Eventually(answer(url)).Should(Equal("SECOND ANSWER"))
		second := currentRevision(ctx, fn, first)

		By("taking back a change that doesn't work")
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source = "throw new Error('no database configured');"
		})
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(haveReason(corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed,
			ContainSubstring("former revision keeps serving")))
		Expect(currentRevision(ctx, fn, first)).To(Equal(second))
		rollBack(ctx, fn, "previous")
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		Eventually(answer(url)).Should(Equal("SECOND ANSWER"))

		By("taking back one that works")
		rollBack(ctx, fn, "1")
		Eventually(answer(url)).Should(Equal("FIRST ANSWER"))
		Expect(currentRevision(ctx, fn, second)).To(Equal(first))

		Eventually(func() int { return replicasTerminating(ctx, namespace) }).Should(BeZero(), "the former Pods go")
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "the first installation, and no other")
		count, failures := calls.seen()
		Expect(count).To(BeNumerically(">", 100))
		Expect(failures).To(BeEmpty())
		var list appsv1.ControllerRevisionList
		Expect(k8s.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
		Expect(list.Items).To(HaveLen(2), "the two that worked")
	})
})

// rollBack asks the Function to go back, and waits until its spec was restored.
func rollBack(ctx context.Context, fn *v1alpha2.Function, asked string) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"annotations": {"`+v1alpha2.AnnotationRollbackTo+`": "`+asked+`"}}}`))
	Expect(k8s.Patch(ctx, fn, patch)).To(Succeed())
	Eventually(func() (metav1.ObjectMeta, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)
		return fn.ObjectMeta, err
	}).Should(HaveField("Annotations", Not(HaveKey(v1alpha2.AnnotationRollbackTo))))
}

// currentRevision is the name in the Function's status, once it is another than the former one.
func currentRevision(ctx context.Context, fn *v1alpha2.Function, former string) string {
	GinkgoHelper()
	current := &v1alpha2.Function{}
	Eventually(func() (string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), current)
		return current.Status.CurrentRevision, err
	}).ShouldNot(Or(BeEmpty(), Equal(former)))
	return current.Status.CurrentRevision
}
