package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

var _ = Describe("When parts of the cluster fail", Serial, func() {
	It("finishes what was begun although the controller's Pod is killed again and again", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		var functions []*v1alpha2.Function
		for i := range 3 {
			fn := nodejs(namespace, fmt.Sprintf("fn-%d", i), firstSource, lodash)
			Expect(k8s.Create(ctx, fn)).To(Succeed())
			functions = append(functions, fn)
			killController(ctx)
		}
		for _, fn := range functions {
			Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
			edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = secondSource })
			killController(ctx)
		}
		for _, fn := range functions {
			Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("SECOND ANSWER"))
			Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
			Expect(image(ctx, fn)).NotTo(BeEmpty(), "one Deployment of each")
		}
	})

	It("serves while the API server doesn't answer for 30 s, and takes an edit right after it", func(ctx SpecContext) {
		fn := nodejs(restrictedNamespace(ctx), "steady", answering("before"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("before"))
		calls := callThroughout(url)
		defer calls.stop()

		freezeAPIServer(ctx, 30*time.Second)
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("after") })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("after"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
	})
})

// killController ends the controller's process without a chance to finish anything.
func killController(ctx context.Context) {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace("kyma-system"), client.MatchingLabels{"kyma-project.io/component": "controller"})).To(Succeed())
	for i := range pods.Items {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0)))).To(Succeed())
	}
}

// freezeAPIServer keeps it from answering for the time.
func freezeAPIServer(ctx context.Context, duration time.Duration) {
	GinkgoHelper()
	signal := func(command string) {
		run(context.WithoutCancel(ctx), "build/bin/cluster", command, "kube-apiserver", "--name", clusterName())
	}
	signal("freeze")
	defer signal("thaw")
	select {
	case <-time.After(duration):
	case <-ctx.Done():
	}
}
