package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// The controller is killed after each single write to the API server, before
// it hears of the write's success. The one that comes after it has to find
// its way from what is there.
var _ = Describe("A Function whose controller is killed", Ordered, ContinueOnFailure, func() {
	world := &functionWorld{}
	BeforeAll(func(ctx SpecContext) { world.prepare(ctx) })

	It("runs after each of the writes that its creation takes, with nothing made twice", func(ctx SpecContext) {
		world.killAtEachWrite(ctx, "created", func(context.Context, *v1alpha2.Function) {})
	})

	It("runs after each of the writes that an edit takes, with nothing made twice", func(ctx SpecContext) {
		world.killAtEachWrite(ctx, "edited", func(ctx context.Context, fn *v1alpha2.Function) {
			stop := world.runController(unchanged)
			world.completes(ctx, fn)
			stop()
			world.change(ctx, fn, func() {
				fn.Spec.Source.Inline.Source += " // edited"
				fn.Spec.Source.Inline.Dependencies = `{"dependencies": {"is-odd": "` + fn.Namespace[len("spec-"):] + `"}}`
			})
		})
	})
})

// killAtEachWrite has a Function's way gone from where begin leaves it, once
// for each write on the way with the controller killed right after it.
func (w *functionWorld) killAtEachWrite(ctx context.Context, name string, begin func(context.Context, *v1alpha2.Function)) {
	GinkgoHelper()
	for kill := 1; ; kill++ {
		namespace := w.newNamespaceWithoutController(ctx)
		fn := needing(namespace, name, "is-even")
		Expect(w.Create(ctx, fn)).To(Succeed())
		begin(ctx, fn)

		killer := &killer{path: "/namespaces/" + namespace + "/", at: kill}
		stop := w.runController(killer.wrap)
		killed := w.untilKilledOrComplete(ctx, fn, killer)
		stop()
		By(fmt.Sprintf("killed at write %d: %s", kill, killer.last()))

		stop = w.runController(unchanged)
		w.completes(ctx, fn)
		w.hasOneOfEach(ctx, fn)
		stop()
		if !killed {
			Expect(kill).To(BeNumerically(">", 5), "the way takes more writes than that")
			return
		}
	}
}

// killer lets writes to a path through until the one at which it breaks all connections.
type killer struct {
	path string
	at   int

	mutex  sync.Mutex
	writes []string
}

func (k *killer) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		isWrite := request.Method != http.MethodGet && !request.URL.Query().Has("dryRun") && strings.Contains(request.URL.Path, k.path)
		if k.dead() {
			return nil, errors.New("the controller is dead")
		}
		response, err := next.RoundTrip(request)
		// Events are not on the way: they are sent when there is time. Nor is
		// what is refused: it would be for all who come after.
		if isWrite && err == nil && response.StatusCode < http.StatusBadRequest && !strings.HasSuffix(request.URL.Path, "/events") && k.count(request) {
			response.Body.Close()
			return nil, errors.New("the controller died")
		}
		return response, err
	})
}

func (k *killer) count(request *http.Request) (dies bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.writes = append(k.writes, request.Method+" "+request.URL.Path)
	return len(k.writes) >= k.at
}

func (k *killer) dead() bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return len(k.writes) >= k.at
}

func (k *killer) last() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if len(k.writes) < k.at {
		return "none, it was complete"
	}
	return k.writes[k.at-1]
}

// unchanged wraps nothing.
func unchanged(next http.RoundTripper) http.RoundTripper { return next }

// untilKilledOrComplete plays the cluster until one of the two has happened.
func (w *functionWorld) untilKilledOrComplete(ctx context.Context, fn *v1alpha2.Function, killer *killer) (killed bool) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		if killed = killer.dead(); !killed {
			w.play(ctx, g, fn)
			isComplete(g, fn)
		}
	}).Should(Succeed())
	return killed
}

// completes plays the cluster until the Function runs as it says.
func (w *functionWorld) completes(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		w.play(ctx, g, fn)
		isComplete(g, fn)
	}).Should(Succeed())
}

func isComplete(g Gomega, fn *v1alpha2.Function) {
	g.Expect(fn.Status.ObservedGeneration).To(Equal(fn.Generation))
	for _, kind := range []v1alpha2.ConditionType{v1alpha2.ConditionConfigurationReady, v1alpha2.ConditionBuildReady, v1alpha2.ConditionRunning} {
		g.Expect(fn.Status.Condition(kind)).To(HaveField("Status", corev1.ConditionTrue))
	}
}

// play does what the other controllers of a cluster would by now.
func (w *functionWorld) play(ctx context.Context, g Gomega, fn *v1alpha2.Function) {
	jobs := w.jobs(ctx, fn.Namespace)
	for i := range jobs {
		if len(jobs[i].Status.Conditions) == 0 {
			w.tryToFinish(ctx, g, &jobs[i])
		}
	}
	g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
	w.rollOut(ctx, g, w.deployment(ctx, g, fn))
}

// hasOneOfEach checks that the Function has just the children that it is to have.
func (w *functionWorld) hasOneOfEach(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	for _, list := range []client.ObjectList{&corev1.ConfigMapList{}, &appsv1.DeploymentList{}, &corev1.ServiceList{}} {
		Expect(w.List(ctx, list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})).To(Succeed())
		Expect(meta.LenList(list)).To(Equal(1), "%T", list)
	}
	running := w.deployment(ctx, Default, fn)
	Expect(running.Spec.Template.Spec.Containers[0].Image).To(ContainSubstring("@sha256:"))
	Expect(w.jobs(ctx, fn.Namespace)).To(HaveEach(HaveField("Status.Conditions", Not(BeEmpty()))), "no Job is left running")
}
