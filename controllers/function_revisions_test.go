package controllers_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// functionRevisionSpecs are about the states that are kept, and going back to them.
func functionRevisionSpecs(w *functionWorld) {
	It("keeps each state that worked, once", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "kept")
		fn.Annotations = map[string]string{"kubernetes.io/change-cause": "the first"}
		w.run(ctx, fn)
		first := w.currentRevision(ctx, fn)
		Expect(first.Revision).To(BeEquivalentTo(1))
		Expect(first.Name).To(HavePrefix("kept-"))
		Expect(metav1.IsControlledBy(first, fn)).To(BeTrue())
		Expect(first.Labels).To(And(HaveKeyWithValue(v1alpha2.LabelFunctionName, "kept"), HaveKeyWithValue(v1alpha2.LabelUUID, string(fn.UID))))
		Expect(first.Annotations).To(And(
			HaveKeyWithValue("serverless.kyma-project.io/image", w.image(ctx, fn)), HaveKeyWithValue("kubernetes.io/change-cause", "the first")))
		Expect(string(first.Data.Raw)).To(ContainSubstring(fn.Spec.Source.Inline.Source))

		w.edit(ctx, fn, "2")
		w.becomesReady(ctx, fn)
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{first.Name: 1, fn.Status.CurrentRevision: 2}))
		Expect(fn.Status.CurrentImage).To(Equal(w.image(ctx, fn)))
	})

	It("keeps no state that never worked, and names the one that serves", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "failing")
		w.run(ctx, fn)
		working := fn.Status.CurrentRevision

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Dependencies = "foo" })
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec, Not(BeEmpty()))
		w.change(ctx, fn, func() { fn.Spec.Source.Inline = &v1alpha2.InlineSource{Source: "broken"} })
		w.rollOutFails(ctx, fn)
		Expect(fn.Status.CurrentRevision).To(Equal(working))
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{working: 1}))
	})

	It("keeps no state that ran no Pod", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "stopped")
		w.run(ctx, fn)
		working := fn.Status.CurrentRevision
		w.change(ctx, fn, func() {
			fn.Spec.Replicas = new(int32(0))
			fn.Spec.Source.Inline.Source += "// maybe broken"
		})
		w.becomesReady(ctx, fn)
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{working: 1}))
		w.change(ctx, fn, func() { fn.Spec.Replicas = new(int32(1)) })
		w.becomesReady(ctx, fn)
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{working: 1, fn.Status.CurrentRevision: 2}))
	})

	It("makes no revision when it is scaled", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "scaled")
		w.run(ctx, fn)
		working := fn.Status.CurrentRevision
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 3}}
		Expect(w.SubResource("scale").Update(ctx, fn, client.WithSubResourceBody(scale))).To(Succeed())
		w.change(ctx, fn, func() {
			fn.Spec.ScaleConfig = &v1alpha2.ScaleConfig{MinReplicas: new(int32(2)), MaxReplicas: new(int32(4))}
		})
		w.becomesReady(ctx, fn)
		Expect(fn.Status.CurrentRevision).To(Equal(working))
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{working: 1}))
	})

	DescribeTable("goes back without a Job, and leaves the number of Pods as it is",
		func(ctx SpecContext, asked func(first string) string) {
			fn := needing(w.newNamespace(ctx), "back", "left-pad")
			fn.Annotations = map[string]string{"kubernetes.io/change-cause": "the first"}
			Expect(w.Create(ctx, fn)).To(Succeed())
			w.finish(ctx, w.onlyJob(ctx, fn.Namespace))
			w.becomesReady(ctx, fn)
			first, firstImage, source := fn.Status.CurrentRevision, w.image(ctx, fn), fn.Spec.Source.Inline.Source

			w.change(ctx, fn, func() {
				fn.Annotations["kubernetes.io/change-cause"] = "the second"
				fn.Spec.Source.Inline = &v1alpha2.InlineSource{Source: "second"}
				fn.Spec.Env = []corev1.EnvVar{{Name: "SECOND", Value: "yes"}}
				fn.Spec.Replicas = new(int32(2))
			})
			w.becomesReady(ctx, fn)
			second := fn.Status.CurrentRevision

			w.rollBack(ctx, fn, asked(first))
			Expect(fn.Spec.Source.Inline.Source).To(Equal(source))
			Expect(fn.Spec.Env).To(BeEmpty())
			Expect(fn.Spec.Replicas).To(HaveValue(BeEquivalentTo(2)))
			Expect(fn.Annotations).To(HaveKeyWithValue("kubernetes.io/change-cause", "the first"))
			w.becomesReady(ctx, fn)
			Expect(w.image(ctx, fn)).To(Equal(firstImage))
			Expect(w.jobs(ctx, fn.Namespace)).To(HaveLen(1), "no further build")
			Expect(fn.Status.CurrentRevision).To(Equal(first))
			Expect(w.history(ctx, fn)).To(Equal(map[string]int64{second: 2, first: 3}))
			Expect(w.currentRevision(ctx, fn).Annotations).To(HaveKeyWithValue("kubernetes.io/change-cause", "the first"))
			Eventually(func() []string { return w.notes(ctx, fn) }).Should(ContainElement("RolledBack: Restored the spec of revision 1 (" + first + ")"))
		},
		Entry("to a number", func(string) string { return "1" }),
		Entry("to a name", func(first string) string { return first }),
		Entry("to the one before", func(string) string { return "previous" }),
		Entry("to the one before, as kubectl rollout undo says it", func(string) string { return "0" }),
	)

	It("goes back when the old manifest is applied again", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "reapplied")
		w.run(ctx, fn)
		first, old := fn.Status.CurrentRevision, fn.Spec.Source.Inline.Source
		w.edit(ctx, fn, "2")
		w.becomesReady(ctx, fn)
		second := fn.Status.CurrentRevision

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = old })
		w.becomesReady(ctx, fn)
		Expect(fn.Status.CurrentRevision).To(Equal(first))
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{second: 2, first: 3}))
		Expect(w.jobs(ctx, fn.Namespace)).To(BeEmpty())
	})

	It("leaves a change that fails for the last state that worked, which serves until that is ready", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "undone")
		w.run(ctx, fn)
		w.edit(ctx, fn, "2")
		w.becomesReady(ctx, fn)
		second := fn.Status.CurrentRevision
		secondImage := w.image(ctx, fn)
		w.edit(ctx, fn, "broken")
		w.rollOutFails(ctx, fn)

		w.rollBack(ctx, fn, "previous")
		Eventually(func() string { return w.image(ctx, fn) }).Should(Equal(secondImage))
		Expect(w.deployment(ctx, Default, fn).Spec.Strategy.RollingUpdate.MaxUnavailable).To(HaveValue(HaveField("IntVal", BeZero())))
		w.becomesReady(ctx, fn)
		Expect(fn.Status.CurrentRevision).To(Equal(second))
		Expect(w.history(ctx, fn)).To(HaveLen(2))

		w.rollBack(ctx, fn, "1")
		w.shows(ctx, fn, v1alpha2.ConditionRunning, corev1.ConditionUnknown, v1alpha2.ReasonDeploymentWaiting, Not(BeEmpty()))
		Expect(fn.Status.CurrentRevision).To(Equal(second), "it still serves")
		w.becomesReady(ctx, fn)
		Expect(fn.Status.CurrentRevision).NotTo(Equal(second))
	})

	DescribeTable("says why it can't go back, and stays as it is",
		func(ctx SpecContext, asked string, prepare func(context.Context, *v1alpha2.Function), reason, note string) {
			fn := function(w.newNamespace(ctx), "asked")
			w.run(ctx, fn)
			first := fn.Status.CurrentRevision
			w.edit(ctx, fn, "2")
			w.becomesReady(ctx, fn)
			prepare(ctx, fn)
			generation, spec := fn.Generation, fn.Spec
			w.rollBack(ctx, fn, asked)
			Expect(fn.Spec).To(Equal(spec))
			Expect(fn.Generation).To(Equal(generation))
			Eventually(func() []string { return w.notes(ctx, fn) }).Should(ContainElement(
				And(HavePrefix(reason+": "), ContainSubstring(strings.ReplaceAll(note, "FIRST", first)))))
		},
		Entry("to what is not kept", "7", func(context.Context, *v1alpha2.Function) {}, "RollbackRevisionNotFound",
			`revision "7" is not kept; set annotation serverless.kyma-project.io/rollback-to to the number or the name of one that is, or to "previous": 1 (FIRST)`),
		Entry("to nothing", "", func(context.Context, *v1alpha2.Function) {}, "RollbackRevisionNotFound", `revision "" is not kept`),
		Entry("to a spec that is refused today", "9", func(ctx context.Context, fn *v1alpha2.Function) {
			Expect(w.Create(ctx, &appsv1.ControllerRevision{
				ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "old", Labels: w.currentRevision(ctx, fn).Labels},
				Revision:   9, Data: runtime.RawExtension{Raw: []byte(`{"spec": {"runtime": "cobol", "source": {"inline": {"source": "x"}}}}`)},
			})).To(Succeed())
		}, "RollbackFailed", `The spec of revision 9 (old) can't be restored: `),
		Entry("to a revision without a spec", "9", func(ctx context.Context, fn *v1alpha2.Function) {
			Expect(w.Create(ctx, &appsv1.ControllerRevision{
				ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "strange", Labels: w.currentRevision(ctx, fn).Labels},
				Revision:   9, Data: runtime.RawExtension{Raw: []byte(`{"spec": "text"}`)},
			})).To(Succeed())
		}, "RollbackFailed", `read ControllerRevision strange`),
	)

	It("lets go of the oldest states, never of the current one", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "limited")
		w.run(ctx, fn)
		Expect(fn.Spec.RevisionHistoryLimit).To(HaveValue(BeEquivalentTo(10)))
		w.change(ctx, fn, func() { fn.Spec.RevisionHistoryLimit = new(int32(2)) })
		for change := range 4 {
			w.edit(ctx, fn, fmt.Sprint(change))
			w.becomesReady(ctx, fn)
		}
		Expect(w.history(ctx, fn)).To(And(HaveLen(3), HaveKeyWithValue(fn.Status.CurrentRevision, BeEquivalentTo(5))))

		w.change(ctx, fn, func() { fn.Spec.RevisionHistoryLimit = new(int32(0)) })
		Eventually(func() map[string]int64 { return w.history(ctx, fn) }).Should(Equal(map[string]int64{fn.Status.CurrentRevision: 5}))
	})

	It("doesn't mind who deletes a revision, and keeps the current one again at the next change", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "pruned")
		w.run(ctx, fn)
		w.edit(ctx, fn, "2")
		w.becomesReady(ctx, fn)
		second := fn.Status.CurrentRevision
		Expect(w.DeleteAllOf(ctx, &appsv1.ControllerRevision{}, client.InNamespace(fn.Namespace))).To(Succeed())
		w.change(ctx, fn, func() { fn.Spec.Replicas = new(int32(2)) })
		w.becomesReady(ctx, fn)
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{second: 1}))
	})

	It("takes a revision for its own that lost its labels", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "unlabelled")
		w.run(ctx, fn)
		revision := w.currentRevision(ctx, fn)
		revision.Labels = nil
		Expect(w.Update(ctx, revision)).To(Succeed())
		w.change(ctx, fn, func() { fn.Spec.Replicas = new(int32(2)) })
		w.becomesReady(ctx, fn)
		Eventually(func() map[string]int64 { return w.history(ctx, fn) }).Should(Equal(map[string]int64{revision.Name: 1}))
	})

	It("runs on when its revision's name is taken, and says so", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "taken")
		w.run(ctx, fn)
		key := metav1.ObjectMeta{Namespace: fn.Namespace, Name: fn.Status.CurrentRevision}
		// The controller may keep the revision once more in between.
		Eventually(func(g Gomega) {
			g.Expect(client.IgnoreNotFound(w.Delete(ctx, &appsv1.ControllerRevision{ObjectMeta: key}))).To(Succeed())
			g.Expect(w.Create(ctx, &appsv1.ControllerRevision{ObjectMeta: key, Data: runtime.RawExtension{Raw: []byte("{}")}})).To(Succeed())
		}).Should(Succeed())
		w.change(ctx, fn, func() { fn.Spec.Replicas = new(int32(2)) })
		w.becomesReady(ctx, fn)
		Eventually(func() []string { return w.notes(ctx, fn) }).Should(ContainElement(
			And(HavePrefix("RevisionNotKept: "), ContainSubstring("exists and belongs to something else"))))
	})

	It("makes no second revision when it forgot what it recorded", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "forgetful")
		w.run(ctx, fn)
		current := fn.Status.CurrentRevision
		// As if the controller had ended before it wrote the status.
		former := fn.DeepCopy()
		fn.Status.CurrentRevision, fn.Status.CurrentImage = "", ""
		Expect(w.Status().Patch(ctx, fn, client.MergeFrom(former))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Status.CurrentRevision).To(Equal(current))
		}).Should(Succeed())
		Expect(w.history(ctx, fn)).To(Equal(map[string]int64{current: 1}))
	})

	It("runs what is too large to be kept, and says so", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "large")
		// A line's end is one byte of the source and two of the record.
		fn.Spec.Source.Inline.Source = "module.exports = {};" + strings.Repeat("x", 640<<10) + strings.Repeat("\n", 330<<10)
		w.run(ctx, fn)
		Expect(fn.Status.CurrentRevision).To(BeEmpty())
		Expect(fn.Status.CurrentImage).To(Equal(w.image(ctx, fn)))
		Expect(w.history(ctx, fn)).To(BeEmpty())
		Eventually(func() []string { return w.notes(ctx, fn) }).Should(ContainElement(
			And(HavePrefix("RevisionNotKept: the spec takes 1300 KiB"), ContainSubstring("apply its manifest again"))))
		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = "small" })
		w.becomesReady(ctx, fn)
		Expect(w.currentRevision(ctx, fn).Revision).To(BeEquivalentTo(1))
	})

	It("keeps what nearly fills a revision", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "filling")
		fn.Spec.Source.Inline.Source = "module.exports = {};" + strings.Repeat("x", 680<<10) + strings.Repeat("\n", 299<<10)
		w.run(ctx, fn)
		Expect(len(w.currentRevision(ctx, fn).Data.Raw)).To(BeNumerically(">", 1275<<10))
	})
}
