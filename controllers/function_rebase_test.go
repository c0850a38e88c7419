package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/image"
)

var _ = Describe("A security update of a runtime", func() {
	It("reaches 50 Functions with packages, and runs no Job", func(ctx SpecContext) {
		world := &functionWorld{}
		world.prepare(ctx)
		world.base = world.releaseBaseWith("nodejs22", map[string]string{image.ABILabel: "nodejs22-1"})
		stop := world.runController(func(next http.RoundTripper) http.RoundTripper { return next })

		var functions []*v1alpha2.Function
		for i, namespace := range []string{world.newNamespace(ctx), world.newNamespace(ctx)} {
			for j := range 25 {
				fn := needing(namespace, fmt.Sprintf("fn-%d", j), fmt.Sprintf("package-%d", i))
				Expect(world.Create(ctx, fn)).To(Succeed())
				functions = append(functions, fn)
			}
			world.finish(ctx, world.onlyJob(ctx, namespace))
		}
		former := map[*v1alpha2.Function]string{}
		for _, fn := range functions {
			world.becomesReady(ctx, fn)
			former[fn] = world.image(ctx, fn)
		}
		jobs := world.jobNames(ctx)
		Expect(jobs).To(HaveLen(2))

		stop()
		world.base = world.releaseBaseWith("nodejs22-updated", map[string]string{image.ABILabel: "nodejs22-1"})
		world.runController(func(next http.RoundTripper) http.RoundTripper { return next })
		for _, fn := range functions {
			Eventually(func() string { return world.image(ctx, fn) }).ShouldNot(Equal(former[fn]))
			world.becomesReady(ctx, fn)
		}
		Expect(world.jobNames(ctx)).To(Equal(jobs))
	})
})

// jobNames are those of all builds, with what makes each one.
func (w *functionWorld) jobNames(ctx context.Context) []string {
	GinkgoHelper()
	var list batchv1.JobList
	Expect(w.List(ctx, &list)).To(Succeed())
	var names []string
	for _, job := range list.Items {
		names = append(names, strings.Join([]string{job.Namespace, job.Name, string(job.UID)}, "/"))
	}
	return names
}
