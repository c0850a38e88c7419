package controllers_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
)

// functionTurnSpecs are about builds that wait for others (docs/decisions/fair-builds.md).
func functionTurnSpecs(w *functionWorld) {
	jobsOf := func(ctx SpecContext, namespace string) func() []batchv1.Job {
		return func() []batchv1.Job { return w.jobs(ctx, namespace) }
	}
	// waiting are the namespace's Functions that wait for their turn, with their versions.
	waiting := func(ctx SpecContext, namespace string) func() map[string]string {
		return func() map[string]string {
			var list v1alpha2.FunctionList
			Expect(w.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
			found := map[string]string{}
			for _, fn := range list.Items {
				if built := fn.Status.Condition(v1alpha2.ConditionBuildReady); built != nil && strings.HasPrefix(built.Message, "Build waits for its turn") {
					found[fn.Name] = fn.ResourceVersion
				}
			}
			return found
		}
	}
	// crowd has so many Functions build in a namespace, and more wait there.
	crowd := func(ctx SpecContext, namespace string, building, more int) {
		for i := range building + more {
			Expect(w.Create(ctx, needing(namespace, fmt.Sprintf("crowd-%d", i), fmt.Sprintf("package-%d", i)))).To(Succeed())
		}
		Eventually(jobsOf(ctx, namespace)).Should(HaveLen(building))
		Eventually(waiting(ctx, namespace)).Should(HaveLen(more))
	}

	It("comes soon in a namespace with a single one, however many wait elsewhere", func(ctx SpecContext) {
		crowded, quiet := w.newNamespace(ctx), w.newNamespace(ctx)
		crowd(ctx, crowded, maxJobs, 6)
		single := needing(quiet, "single", "precious")
		Expect(w.Create(ctx, single)).To(Succeed())
		w.shows(ctx, single, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			Equal("Build waits for its turn: 2 of at most 2 builds were running and 0 waiting ahead of it when it began to wait"))

		done := w.jobs(ctx, crowded)[0]
		w.finish(ctx, &done)
		w.finish(ctx, w.onlyJob(ctx, quiet))
		w.becomesReady(ctx, single)
		Eventually(jobsOf(ctx, crowded)).Should(HaveLen(maxJobs + 1))
	})

	It("changes nothing for the others that wait", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		crowd(ctx, namespace, maxJobs, 6)
		before := waiting(ctx, namespace)()
		done := w.jobs(ctx, namespace)[0]
		w.finish(ctx, &done)
		Eventually(jobsOf(ctx, namespace)).Should(HaveLen(maxJobs + 1))
		Eventually(waiting(ctx, namespace)).Should(HaveLen(5))
		for name, version := range waiting(ctx, namespace)() {
			Expect(version).To(Equal(before[name]), name)
		}
	})

	It("passes on when its Function is deleted", func(ctx SpecContext) {
		namespace, other := w.newNamespace(ctx), w.newNamespace(ctx)
		crowd(ctx, namespace, maxJobs, 2)
		single := needing(other, "single", "precious")
		Expect(w.Create(ctx, single)).To(Succeed())
		w.shows(ctx, single, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, HavePrefix("Build waits for its turn"))
		Expect(w.Delete(ctx, single)).To(Succeed())
		// As they are now: the next ones come between them.
		for _, job := range w.jobs(ctx, namespace) {
			w.finish(ctx, &job)
		}
		Eventually(jobsOf(ctx, namespace)).Should(HaveLen(maxJobs + 2))
		Expect(w.jobs(ctx, other)).To(BeEmpty())
	})

	It("keeps the count of attempts while it waits", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		fn := needing(namespace, "again", "flaky")
		Expect(w.Create(ctx, fn)).To(Succeed())
		failed := w.onlyJob(ctx, namespace)
		// One takes the last place, another waits for one.
		Expect(w.Create(ctx, needing(namespace, "builds", "other"))).To(Succeed())
		Eventually(jobsOf(ctx, namespace)).Should(HaveLen(maxJobs))
		Expect(w.Create(ctx, needing(namespace, "waits", "another"))).To(Succeed())
		Eventually(waiting(ctx, namespace)).Should(HaveLen(1))
		// The next try is due in a moment, when the other one waits already.
		w.fail(ctx, failed, "npm error network timeout", metav1.NewTime(time.Now().Add(time.Second-build.RetryAfter(1))))
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
			MatchRegexp("^Job .* failed, it will be re-run: network timeout. Build waits for its turn: "))
		Expect(w.Get(ctx, client.ObjectKeyFromObject(failed), failed)).To(Succeed())
		Expect(build.StateOf(failed)).To(Equal(build.Failed))

		for _, job := range w.jobs(ctx, namespace) {
			if build.StateOf(&job) == build.Active {
				w.finish(ctx, &job)
				break
			}
		}
		Eventually(func(g Gomega) {
			var again batchv1.Job
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(failed), &again)).To(Succeed())
			g.Expect(again.UID).NotTo(Equal(failed.UID))
			g.Expect(build.Attempt(&again)).To(Equal(2))
		}).Should(Succeed())
	})
}
