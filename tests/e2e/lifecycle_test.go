package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const (
	lodash       = `{"dependencies": {"lodash": "4.17.21"}}`
	firstSource  = `const { upperCase } = require('lodash'); module.exports = { main: () => upperCase('first answer') };`
	secondSource = `const { upperCase } = require('lodash'); module.exports = { main: () => upperCase('second answer') };`
	ready        = 3 * time.Minute
)

var _ = Describe("A Function in a namespace that enforces the restricted Pod Security Standard", Ordered, func() {
	var (
		namespace, url, firstImage string
		fn                         *v1alpha2.Function
		pods                       *podWatch
		calls                      *caller
	)

	BeforeAll(func(ctx SpecContext) {
		namespace = restrictedNamespace(ctx)
		pods = watchPods(ctx, namespace)
	})

	AfterAll(func() {
		if calls != nil {
			calls.stop()
		}
	})

	It("is created with a dependency and answers over HTTP", func(ctx SpecContext) {
		fn = nodejs(namespace, "hello", firstSource, lodash)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(haveReason(corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady, HaveSuffix("is ready")))
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "one build of the dependencies")
		firstImage = image(ctx, fn)
		Expect(firstImage).To(MatchRegexp(`@sha256:[0-9a-f]{64}$`))
		calls = callThroughout(url)
	})

	It("says in events what became of it", func(ctx SpecContext) {
		Eventually(events(ctx, fn)).Should(ContainElements(
			HavePrefix("Normal ConfigMapCreated"), HavePrefix("Normal JobCreated"), HavePrefix("Normal JobFinished"),
			HavePrefix("Normal DeploymentCreated"), HavePrefix("Normal DeploymentReady")))
	})

	It("is edited and gives the new answer, without a Job, and with no Pod but the new replica", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = secondSource })
		Eventually(answer(url)).Should(Equal("SECOND ANSWER"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		Expect(image(ctx, fn)).NotTo(Equal(firstImage))
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "no further build")
		Expect(pods.ownedBy("ReplicaSet")).To(HaveLen(2), "the first replica and the new one")
	})

	It("goes back to the first source without a build", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = firstSource })
		Eventually(answer(url)).Should(Equal("FIRST ANSWER"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		Expect(image(ctx, fn)).To(Equal(firstImage))
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "no further build")
	})

	It("failed no request all the while", func(ctx SpecContext) {
		Eventually(func() int { return replicasTerminating(ctx, namespace) }).Should(BeZero(), "the former Pods go")
		count, failures := calls.seen()
		Expect(count).To(BeNumerically(">", 100))
		Expect(failures).To(BeEmpty())
	})

	It("lets a second Function with the same dependencies start without npm", func(ctx SpecContext) {
		second := nodejs(namespace, "second", secondSource, lodash)
		Expect(k8s.Create(ctx, second)).To(Succeed())
		Eventually(answer(expose(ctx, second))).Should(Equal("SECOND ANSWER"))
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "no further build")
	})

	It("is deleted, and nothing of it is left", func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
		for _, list := range []client.ObjectList{
			&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &batchv1.JobList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &corev1.PodList{},
			&appsv1.ControllerRevisionList{},
		} {
			Eventually(func() (int, error) {
				err := k8s.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})
				return remaining(list), err
			}).WithTimeout(ready).Should(BeZero(), "%T", list)
		}
		err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), &v1alpha2.Function{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})
})
