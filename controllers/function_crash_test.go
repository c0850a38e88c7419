package controllers_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// way is what a Function goes through while its controller is killed.
type way struct {
	// create makes the Function in a namespace of its own.
	create func(namespace string) *v1alpha2.Function
	// begin brings it to where the way begins, or is nil.
	begin func(context.Context, *v1alpha2.Function)
	// revisions and jobs are how many it has in the end.
	revisions, jobs int
}

// controllerCrashSpecs are about a controller that is killed after each single
// write to the API server, before it hears of the write's success. The one that
// comes after it has to find its way from what is there.
func controllerCrashSpecs(world *functionWorld) {
	// scaled has dependencies that no other Function has, and a child of each kind.
	scaled := func(namespace string) *v1alpha2.Function {
		fn := needing(namespace, "scaled", "of-"+namespace)
		fn.Spec.ScaleConfig = between(2, 3)
		return fn
	}
	plain := func(namespace string) *v1alpha2.Function { return function(namespace, "plain") }

	DescribeTable("runs after each of the writes on its way, with nothing made twice",
		func(ctx SpecContext, way way) { world.killAtEachWrite(ctx, way) },
		Entry("when created", way{create: scaled, revisions: 1, jobs: 1}),
		Entry("when edited", way{create: scaled, revisions: 2, jobs: 2, begin: func(ctx context.Context, fn *v1alpha2.Function) {
			world.settles(ctx, fn)
			world.change(ctx, fn, func() {
				fn.Spec.Source.Inline.Source += " // edited"
				fn.Spec.Source.Inline.Dependencies = `{"dependencies": {"is-odd": "` + fn.Namespace + `"}}`
				fn.Spec.ScaleConfig = nil
			})
		}}),
		Entry("when rolled back", way{create: plain, revisions: 2, begin: func(ctx context.Context, fn *v1alpha2.Function) {
			world.settles(ctx, fn)
			former := fn.Status.CurrentRevision
			world.edit(ctx, fn, "edited")
			world.settles(ctx, fn)
			world.change(ctx, fn, func() { metav1.SetMetaDataAnnotation(&fn.ObjectMeta, v1alpha2.AnnotationRollbackTo, former) })
		}}),
	)

	It("runs after each of the writes that its creation from Git takes, with nothing made twice", func(ctx SpecContext) {
		host := newGitHost("", "")
		world.killAtEachWrite(ctx, way{revisions: 1, jobs: 2, create: func(namespace string) *v1alpha2.Function {
			commit := host.commit("main", map[string]string{"handler.js": "1", "package.json": `{"dependencies": {"of-` + namespace + `": "1"}}`})
			return ofRepository(namespace, "git", host.url, commit, "/")
		}})
	})

	It("leaves nothing behind when it is deleted after any write", func(ctx SpecContext) {
		for kill, killed := 1, true; killed; kill++ {
			fn := scaled(world.newNamespaceWithoutController(ctx))
			Expect(world.Create(ctx, fn)).To(Succeed())
			killer, stop := world.runKilled(fn, kill)
			killed = world.untilKilledOrComplete(ctx, fn, killer)
			Expect(world.Delete(ctx, fn)).To(Succeed())
			isGone := func(g Gomega) { g.Expect(world.leftOf(ctx, g, fn)).To(BeEmpty()) }
			if !killed {
				Eventually(func(g Gomega) {
					if killed = killer.dead(); !killed {
						isGone(g)
					}
				}).Should(Succeed())
			}
			stop()
			By(fmt.Sprintf("killed at write %d: %s", kill, killer.last()))

			stop = world.runController(unchanged)
			Eventually(isGone).Should(Succeed())
			stop()
			Expect(killed || kill > 12).To(BeTrue(), "the way takes more writes than that")
		}
	})
}

// killAtEachWrite has a Function go the way once for each write on it, with
// the controller killed right after that.
func (w *functionWorld) killAtEachWrite(ctx context.Context, way way) {
	GinkgoHelper()
	for kill, killed := 1, true; killed; kill++ {
		fn := way.create(w.newNamespaceWithoutController(ctx))
		Expect(w.Create(ctx, fn)).To(Succeed())
		if way.begin != nil {
			way.begin(ctx, fn)
		}
		killer, stop := w.runKilled(fn, kill)
		killed = w.untilKilledOrComplete(ctx, fn, killer)
		stop()
		By(fmt.Sprintf("killed at write %d: %s", kill, killer.last()))

		stop = w.runController(unchanged)
		w.completes(ctx, fn)
		// Some are made after the Function runs.
		Eventually(func(g Gomega) { w.hasOneOfEach(ctx, g, fn, way.revisions, way.jobs) }).Should(Succeed())
		stop()
		Expect(killed || kill > 5).To(BeTrue(), "the way takes more writes than that")
	}
}

// settles runs a controller until the Function runs as it says.
func (w *functionWorld) settles(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	stop := w.runController(unchanged)
	w.completes(ctx, fn)
	stop()
}

// untilKilledOrComplete plays the cluster until one of the two has happened.
func (w *functionWorld) untilKilledOrComplete(ctx context.Context, fn *v1alpha2.Function, killer *killer) (killed bool) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		if killed = killer.dead(); !killed {
			w.play(ctx, g, fn)
			isComplete(g, fn)
			// It may have been the last write that completed it.
			killed = killer.dead()
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
	if fn.Spec.ScaleConfig != nil {
		autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: child(fn)}
		Expect(w.Get(ctx, client.ObjectKeyFromObject(autoscaler), autoscaler)).To(Succeed(), "a Function that runs is scaled")
	}
}

func isComplete(g Gomega, fn *v1alpha2.Function) {
	g.Expect(fn.Annotations).NotTo(HaveKey(v1alpha2.AnnotationRollbackTo))
	g.Expect(fn.Status.ObservedGeneration).To(Equal(fn.Generation))
	for _, kind := range []v1alpha2.ConditionType{v1alpha2.ConditionConfigurationReady, v1alpha2.ConditionBuildReady, v1alpha2.ConditionRunning} {
		g.Expect(fn.Status.Condition(kind)).To(HaveField("Status", corev1.ConditionTrue))
	}
}

// play does what the other controllers of a cluster would by now.
func (w *functionWorld) play(ctx context.Context, g Gomega, fn *v1alpha2.Function) {
	jobs := w.jobs(ctx, fn.Namespace)
	for i := range jobs {
		switch {
		case len(jobs[i].Status.Conditions) > 0:
		case jobs[i].Spec.Template.Spec.InitContainers[0].Name == "fetch":
			w.fetch(ctx, &jobs[i])
		default:
			w.tryToFinish(ctx, g, &jobs[i])
		}
	}
	g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
	w.rollOut(ctx, g, w.deployment(ctx, g, fn))
}

// hasOneOfEach checks that the Function has just the children that it is to
// have, and so many revisions and Jobs.
func (w *functionWorld) hasOneOfEach(ctx context.Context, g Gomega, fn *v1alpha2.Function, revisions, jobs int) {
	g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
	inline, scaled := fn.Spec.Source.Inline != nil, fn.Spec.ScaleConfig != nil
	for _, kind := range []struct {
		list client.ObjectList
		want bool
	}{
		{&appsv1.DeploymentList{}, true}, {&corev1.ServiceList{}, true}, {&corev1.ConfigMapList{}, inline},
		{&autoscalingv2.HorizontalPodAutoscalerList{}, scaled}, {&policyv1.PodDisruptionBudgetList{}, scaled},
	} {
		want := 0
		if kind.want {
			want = 1
		}
		g.Expect(w.List(ctx, kind.list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})).To(Succeed())
		g.Expect(meta.LenList(kind.list)).To(Equal(want), "%T", kind.list)
	}
	running := w.deployment(ctx, g, fn)
	g.Expect(running.Spec.Template.Spec.Containers[0].Image).To(ContainSubstring("@sha256:"))
	builds := w.jobs(ctx, fn.Namespace)
	g.Expect(builds).To(HaveLen(jobs))
	for _, job := range builds {
		g.Expect(job.Status.Conditions).NotTo(BeEmpty(), "Job %s is left running", job.Name)
	}
	history := w.history(ctx, fn)
	g.Expect(history).To(HaveLen(revisions))
	g.Expect(slices.Max(slices.Collect(maps.Values(history)))).To(Equal(history[fn.Status.CurrentRevision]), "the newest revision is the current one")
}

// leftOf are the objects in the Function's namespace, once the garbage
// collector, which is played, has taken what belongs to the Function.
func (w *functionWorld) leftOf(ctx context.Context, g Gomega, fn *v1alpha2.Function) []string {
	var left []string
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.ConfigMapList{}, &batchv1.JobList{}, &appsv1.ControllerRevisionList{},
		&autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.SecretList{}, &corev1.ServiceAccountList{},
	} {
		g.Expect(w.List(ctx, list, client.InNamespace(fn.Namespace))).To(Succeed())
		g.Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			left = append(left, fmt.Sprintf("%T %s", object, object.GetName()))
			if metav1.IsControlledBy(object, fn) {
				return client.IgnoreNotFound(w.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			}
			return nil
		})).To(Succeed())
	}
	return left
}
