package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
)

const notFound = "npm error code E404\nnpm error 404 Not Found - GET https://packages.example.com/no-such-package\n"

// functionBuildSpecs are about Functions with dependencies (contract/functions.md 12, checks 54 and 55).
func functionBuildSpecs(w *functionWorld) {
	It("installs dependencies once for all Functions of a namespace that need the same", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		first, second := needing(namespace, "first", "ms"), needing(namespace, "second", "ms")
		Expect(w.Create(ctx, first)).To(Succeed())
		job := w.onlyJob(ctx, namespace)
		w.shows(ctx, first, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			Equal("Job "+job.Name+" is still in progress"))
		Expect(w.Create(ctx, second)).To(Succeed())
		w.shows(ctx, second, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			Equal("Job "+job.Name+" is still in progress"))

		w.finish(ctx, job)
		w.becomesReady(ctx, first)
		w.becomesReady(ctx, second)
		third := needing(namespace, "third", "ms")
		w.run(ctx, third)
		Expect(w.jobs(ctx, namespace)).To(HaveLen(1))
		Expect(w.image(ctx, third)).To(HavePrefix(nodesRegistry + "/" + namespace + "__third@sha256:"))
	})

	It("builds for a Function with the longest name", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), strings.Repeat("x", 63), "longest")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.finish(ctx, w.onlyJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
	})

	It("labels the build that is under way as the Function, and starts no other", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "labelled", "relabelled")
		fn.Labels = map[string]string{"team": "orders"}
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, fn.Namespace)
		Expect(job.Labels).To(HaveKeyWithValue("team", "orders"))
		Expect(job.Spec.Template.Labels).To(HaveKeyWithValue("team", "orders"))
		w.change(ctx, fn, func() { fn.Labels["team"] = "billing" })
		Eventually(func() string { return w.onlyJob(ctx, fn.Namespace).Labels["team"] }).Should(Equal("billing"))
		Expect(w.onlyJob(ctx, fn.Namespace).UID).To(Equal(job.UID))
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Normal JobUpdated"))
	})

	It("runs no more builds at once than allowed", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		var functions []*v1alpha2.Function
		for i := range maxJobs + 2 {
			fn := needing(namespace, fmt.Sprintf("crowd-%d", i), fmt.Sprintf("package-%d", i))
			Expect(w.Create(ctx, fn)).To(Succeed())
			functions = append(functions, fn)
		}
		waiting := func(g Gomega) int {
			number := 0
			for _, fn := range functions {
				g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
				if built := fn.Status.Condition(v1alpha2.ConditionBuildReady); built != nil && strings.HasPrefix(built.Message, fmt.Sprintf(
					"Build waits for its turn: %d of at most %d builds were running and ", maxJobs, maxJobs)) {
					number++
				}
			}
			return number
		}
		Eventually(waiting).Should(Equal(2))
		Consistently(func() []batchv1.Job { return w.jobs(ctx, namespace) }).Should(HaveLen(maxJobs))

		done := w.jobs(ctx, namespace)[0]
		w.finish(ctx, &done)
		Eventually(func() []batchv1.Job { return w.jobs(ctx, namespace) }).Should(HaveLen(maxJobs + 1))
		Eventually(waiting).Should(Equal(1))
	})

	It("says why a build failed, and recovers by other dependencies", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "typo", "no-such-package")
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, fn.Namespace)
		w.fail(ctx, job, notFound, metav1.Now())
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionFalse, v1alpha2.ReasonJobFailed, Equal(
			"Job "+job.Name+" failed, it will be re-run: code E404; Not Found - GET https://packages.example.com/no-such-package"))
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Warning JobFailed"))

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Dependencies = "" })
		w.becomesReady(ctx, fn)
		Eventually(func() []batchv1.Job { return w.jobs(ctx, fn.Namespace) }).Should(BeEmpty())
	})

	It("tries a failed build again", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "again", "flaky")
		Expect(w.Create(ctx, fn)).To(Succeed())
		first := w.onlyJob(ctx, fn.Namespace)
		w.fail(ctx, first, "npm error network timeout", metav1.NewTime(time.Now().Add(-time.Minute)))
		Eventually(func(g Gomega) {
			jobs := w.jobs(ctx, fn.Namespace)
			g.Expect(jobs).To(HaveLen(1))
			g.Expect(jobs[0].UID).NotTo(Equal(first.UID))
			g.Expect(build.Attempt(&jobs[0])).To(Equal(2))
		}).Should(Succeed())
		w.finish(ctx, w.onlyJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
	})

	It("builds again with another package registry", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "registry", "private")
		Expect(w.Create(ctx, fn)).To(Succeed())
		first := w.onlyJob(ctx, fn.Namespace)
		w.finish(ctx, first)
		w.becomesReady(ctx, fn)
		before := w.image(ctx, fn)

		Expect(w.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: packagesSecretName}, StringData: map[string]string{".npmrc": "registry=https://other"},
		})).To(Succeed())
		var second *batchv1.Job
		Eventually(func() *batchv1.Job {
			for _, job := range w.jobs(ctx, fn.Namespace) {
				if job.UID != first.UID {
					second = &job
				}
			}
			return second
		}).ShouldNot(BeNil())
		w.finish(ctx, second)
		Eventually(func() string { return w.image(ctx, fn) }).ShouldNot(Equal(before))
	})

	It("builds once when the package registry comes with the Function", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		w.lagging.Store(namespace, true)
		Expect(w.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: packagesSecretName}, StringData: map[string]string{".npmrc": "registry=https://own"},
		})).To(Succeed())
		fn := needing(namespace, "together", "private")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			Equal("Build waits: the package registry Secret has just changed"))
		Expect(w.jobs(ctx, namespace)).To(BeEmpty())

		w.lagging.Delete(namespace)
		w.finish(ctx, w.onlyJob(ctx, namespace))
		w.becomesReady(ctx, fn)
	})

	It("ends the build of dependencies that are not wanted any more", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "changed-mind", "large")
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, fn.Namespace)
		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Dependencies = "" })
		w.becomesReady(ctx, fn)
		Eventually(func() bool {
			return apierrors.IsNotFound(w.Get(ctx, client.ObjectKeyFromObject(job), job))
		}).Should(BeTrue())
	})
}

// laggingReader is a cache that shows nothing of some namespaces yet.
type laggingReader struct {
	client.Reader
	namespaces *sync.Map
}

func (r laggingReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, lags := r.namespaces.Load(key.Namespace); lags {
		return apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
	}
	return r.Reader.Get(ctx, key, object, options...)
}
