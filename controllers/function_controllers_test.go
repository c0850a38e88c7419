package controllers_test

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// These specs run controllers of their own, which share one API server.
var _ = Describe("A Function whose controller", Ordered, ContinueOnFailure, func() {
	world := &functionWorld{}
	BeforeAll(func(ctx SpecContext) { world.prepare(ctx) })

	Describe("is killed", func() { controllerCrashSpecs(world) })
	Describe("has another replica", func() { controllerReplicaSpecs(world) })
	Describe("is blocked", func() { controllerHealthSpecs(world) })
})

// controllerReplicaSpecs are about two controllers, of which one leads.
func controllerReplicaSpecs(w *functionWorld) {
	// replica starts one that shows its writes to the namespace.
	replica := func(namespace string, releases bool) (*killer, func()) {
		killer := &killer{path: "/namespaces/" + namespace + "/", at: math.MaxInt}
		return killer, w.runController(killer.wrap, func(options *ctrl.Options) {
			lease, renewal, retry := 3*time.Second, 2*time.Second, 200*time.Millisecond
			options.LeaderElection, options.LeaderElectionID, options.LeaderElectionNamespace = true, "leader", moduleNamespace
			options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = &lease, &renewal, &retry
			options.LeaderElectionReleaseOnCancel = releases
		})
	}

	DescribeTable("goes on with that one, which does nothing before, when the leader", func(ctx SpecContext, isKilled bool) {
		namespace := w.newNamespaceWithoutController(ctx)
		first, stopFirst := replica(namespace, !isKilled)
		fn := needing(namespace, "served", "of-"+namespace)
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, namespace)
		second, stopSecond := replica(namespace, !isKilled)
		w.change(ctx, fn, func() { fn.Labels = map[string]string{"team": "shop"} })
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
			g.Expect(job.Labels).To(HaveKeyWithValue("team", "shop"))
		}).Should(Succeed())
		Consistently(second.all).Should(BeEmpty())

		if isKilled {
			first.die()
		}
		stopFirst()
		w.change(ctx, fn, func() { fn.Spec.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}} })
		w.completes(ctx, fn)
		Eventually(func(g Gomega) { w.hasOneOfEach(ctx, g, fn, 1, 1) }).Should(Succeed())
		Expect(w.onlyJob(ctx, namespace).UID).To(Equal(job.UID), "it was built once")
		Expect(w.deployment(ctx, Default, fn).Spec.Template.Spec.Containers[0].Env).To(ContainElement(fn.Spec.Env[0]))
		Expect(second.all()).NotTo(ContainElement(ContainSubstring("POST /apis/batch/")))
		stopSecond()
	},
		Entry("ends, and gives up its lease", false),
		Entry("is killed, so that its lease runs out", true),
	)
}

// controllerHealthSpecs are about the probe that has the kubelet restart a
// controller (contract/functions.md 12, check 68).
func controllerHealthSpecs(w *functionWorld) {
	It("tells the kubelet, as long as that lasts", func(ctx SpecContext) {
		w.probes, w.limit = freeAddress(), time.Second
		DeferCleanup(func() { w.probes, w.limit = "0", 0 })
		namespace := w.newNamespaceWithoutController(ctx)
		goOn := make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		stop := w.runController(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(request *http.Request) (*http.Response, error) {
				if strings.Contains(request.URL.Path, "/namespaces/"+namespace+"/configmaps/") {
					// Whatever its context says.
					<-goOn
				}
				return next.RoundTrip(request)
			})
		})
		DeferCleanup(release)
		probe := func(path string) func() (int, error) {
			return func() (int, error) {
				response, err := ask(ctx, "http://"+w.probes+path)
				if err != nil {
					return 0, err
				}
				return response.StatusCode, response.Body.Close()
			}
		}
		Eventually(probe("/healthz")).Should(Equal(http.StatusOK))
		fn := function(namespace, "blocked")
		Expect(w.Create(ctx, fn)).To(Succeed())
		Eventually(probe("/healthz")).Should(Equal(http.StatusInternalServerError))
		Expect(probe("/readyz")()).To(Equal(http.StatusOK))
		release()
		Eventually(probe("/healthz")).Should(Equal(http.StatusOK))
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionTrue, v1alpha2.ReasonJobFinished, Not(BeEmpty()))
		stop()
	})
}
