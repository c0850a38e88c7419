package e2e

import (
	"context"
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// buildLimit is what the chart allows to build at once.
const buildLimit = 5

// Serial: the builds of other specs would take turns.
var _ = It("builds no more Functions at once than allowed, and tells the others that they wait", Serial, func(ctx SpecContext) {
	namespace := restrictedNamespace(ctx)
	jobs := watchJobs(ctx, namespace)
	var functions []*v1alpha2.Function
	for i := range buildLimit + 2 {
		// Each has dependencies of its own, so that each needs a build.
		manifest := fmt.Sprintf(`{"dependencies": {"is-number": "7.0.0"}, "overrides": {"nothing": "%d.0.0"}}`, i)
		fn := nodejs(namespace, fmt.Sprintf("fn-%d", i), answering("built"), manifest)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		functions = append(functions, fn)
	}
	waiting := func() []string {
		var messages []string
		for _, fn := range functions {
			if found := condition(ctx, fn, v1alpha2.ConditionBuildReady)(); found.Status == corev1.ConditionUnknown {
				messages = append(messages, found.Message)
			}
		}
		return messages
	}
	Eventually(waiting).Should(ContainElement(ContainSubstring("Build waits")))
	for _, fn := range functions {
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
	}
	Expect(jobs.most()).To(Equal(buildLimit))
})

// jobWatch counts the Jobs that are active at once.
type jobWatch struct {
	mutex   sync.Mutex
	active  map[string]bool
	maximum int
}

func watchJobs(ctx context.Context, namespace string) *jobWatch {
	GinkgoHelper()
	w := &jobWatch{active: map[string]bool{}}
	watcher, err := k8s.Watch(context.WithoutCancel(ctx), &batchv1.JobList{}, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	go func() {
		for event := range watcher.ResultChan() {
			if job, isJob := event.Object.(*batchv1.Job); isJob {
				// One for a Secret that was just made may be ended for another.
				w.note(job.Name, event.Type != watch.Deleted && len(job.Status.Conditions) == 0 && job.DeletionTimestamp == nil)
			}
		}
	}()
	DeferCleanup(watcher.Stop)
	return w
}

func (w *jobWatch) note(name string, active bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !active {
		delete(w.active, name)
		return
	}
	w.active[name] = true
	w.maximum = max(w.maximum, len(w.active))
}

func (w *jobWatch) most() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.maximum
}
