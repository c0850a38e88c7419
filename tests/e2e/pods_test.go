package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

var _ = DescribeTable("A Function says in its own conditions why its Pods can't run",
	func(ctx SpecContext, change func(*v1alpha2.FunctionSpec), message gomegatypes.GomegaMatcher) {
		fn := nodejs(restrictedNamespace(ctx), "failing", answering("never"), "")
		change(&fn.Spec)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(
			haveReason(corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed, message))
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source, spec.ResourceConfiguration = answering("repaired"), nil
		})
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("repaired"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
	},
	Entry("more memory than its limit", func(spec *v1alpha2.FunctionSpec) {
		spec.Source.Inline.Source = `const held = []; for (;;) held.push(Buffer.alloc(1 << 24, 1));`
	}, ContainSubstring("it ran out of memory; choose a larger profile in spec.resourceConfiguration.function")),
	Entry("a process that ends", func(spec *v1alpha2.FunctionSpec) {
		spec.Source.Inline.Source = `setTimeout(() => process.exit(3), 1000); module.exports = { main: () => "soon gone" };`
	}, And(ContainSubstring("ended with exit code 3"), ContainSubstring("kubectl logs"))),
	Entry("an exception at load", func(spec *v1alpha2.FunctionSpec) {
		spec.Source.Inline.Source = `throw new Error("no such table: orders");`
	}, And(ContainSubstring("no such table: orders"), ContainSubstring("correct the Function's code"))),
	Entry("no node that is large enough", func(spec *v1alpha2.FunctionSpec) {
		large := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
		spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{
			Resources: &corev1.ResourceRequirements{Requests: large, Limits: large},
		}}
	}, And(ContainSubstring("can't be scheduled"), ContainSubstring("Insufficient cpu"))),
)

var _ = It("takes the build's Pod with it when a Function is deleted in the middle of its build", func(ctx SpecContext) {
	namespace := restrictedNamespace(ctx)
	fn := nodejs(namespace, "deleted", firstSource, `{"dependencies": {"lodash": "4.17.20"}}`)
	Expect(k8s.Create(ctx, fn)).To(Succeed())
	pods := buildPods(ctx, namespace)
	Eventually(pods).WithTimeout(ready).Should(HaveLen(1))
	Expect(k8s.Delete(ctx, fn)).To(Succeed())
	Eventually(pods).WithTimeout(ready).Should(BeEmpty())
	var jobs batchv1.JobList
	Expect(k8s.List(ctx, &jobs, client.InNamespace(namespace))).To(Succeed())
	Expect(jobs.Items).To(BeEmpty())
})
