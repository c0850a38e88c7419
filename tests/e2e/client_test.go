package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

func answer(url string) func() (string, error) {
	return func() (string, error) { return endpoint.Ask(context.Background(), url) }
}

func expose(ctx context.Context, fn *v1alpha2.Function) string {
	GinkgoHelper()
	url, err := endpoint.Expose(ctx, k8s, client.ObjectKeyFromObject(fn))
	Expect(err).NotTo(HaveOccurred())
	return url
}

// caller asks all the time, and keeps count of what failed.
type caller struct {
	mutex    sync.Mutex
	calls    int
	failures []string
	stop     func()
}

// callThroughout starts a caller, which goes on until it is stopped.
func callThroughout(url string) *caller {
	c := &caller{}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, err := endpoint.Ask(ctx, url)
			if ctx.Err() != nil {
				return // The caller was stopped in the middle of a call.
			}
			c.mutex.Lock()
			c.calls++
			if err != nil {
				c.failures = append(c.failures, fmt.Sprintf("%s: %v", time.Now().Format("15:04:05.000"), err))
			}
			c.mutex.Unlock()
		}
	}()
	c.stop = func() { stop(); <-done }
	return c
}

func (c *caller) seen() (int, []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.calls, append([]string{}, c.failures...)
}

// podWatch remembers every Pod that was ever there.
type podWatch struct {
	mutex sync.Mutex
	names map[string]string
}

// watchPods remembers the namespace's Pods from now on, with their owner's kind.
func watchPods(ctx context.Context, namespace string) *podWatch {
	GinkgoHelper()
	w := &podWatch{names: map[string]string{}}
	watcher, err := k8s.Watch(context.WithoutCancel(ctx), &corev1.PodList{}, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	go func() {
		for event := range watcher.ResultChan() {
			if pod, isPod := event.Object.(*corev1.Pod); isPod {
				w.mutex.Lock()
				w.names[pod.Name] = pod.OwnerReferences[0].Kind
				w.mutex.Unlock()
			}
		}
	}()
	DeferCleanup(watcher.Stop)
	return w
}

// ownedBy are the names of the Pods whose owner is of the kind.
func (w *podWatch) ownedBy(kind string) []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var names []string
	for name, owner := range w.names {
		if owner == kind {
			names = append(names, name)
		}
	}
	return names
}
