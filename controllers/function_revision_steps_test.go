package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// edit appends a comment to the Function's source.
func (w *functionWorld) edit(ctx context.Context, fn *v1alpha2.Function, comment string) {
	GinkgoHelper()
	w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source += "// " + comment })
}

// rollBack asks the Function to go back, and waits until that was answered.
func (w *functionWorld) rollBack(ctx context.Context, fn *v1alpha2.Function, asked string) {
	GinkgoHelper()
	w.change(ctx, fn, func() { metav1.SetMetaDataAnnotation(&fn.ObjectMeta, v1alpha2.AnnotationRollbackTo, asked) })
	Eventually(func(g Gomega) {
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		g.Expect(fn.Annotations).NotTo(HaveKey(v1alpha2.AnnotationRollbackTo))
	}).Should(Succeed())
}

// rollOutFails plays a Deployment whose new Pod is never ready.
func (w *functionWorld) rollOutFails(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		deployment := w.deployment(ctx, g, fn)
		g.Expect(deployment.Status.ObservedGeneration).To(BeNumerically("<", deployment.Generation), "not applied yet")
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: 2, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded"}},
		}
		g.Expect(w.Status().Update(ctx, deployment)).To(Succeed())
	}).Should(Succeed())
	w.shows(ctx, fn, v1alpha2.ConditionRunning, corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed, ContainSubstring("the former revision keeps serving"))
}

// currentRevision is the one that the Function's status names.
func (w *functionWorld) currentRevision(ctx context.Context, fn *v1alpha2.Function) *appsv1.ControllerRevision {
	GinkgoHelper()
	revision := &appsv1.ControllerRevision{}
	Expect(w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: fn.Status.CurrentRevision}, revision)).To(Succeed())
	return revision
}

// history are the names and numbers of the Function's revisions.
func (w *functionWorld) history(ctx context.Context, fn *v1alpha2.Function) map[string]int64 {
	GinkgoHelper()
	var list appsv1.ControllerRevisionList
	Expect(w.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})).To(Succeed())
	found := map[string]int64{}
	for _, revision := range list.Items {
		found[revision.Name] = revision.Revision
	}
	return found
}

// notes are the reasons and texts of the Function's events.
func (w *functionWorld) notes(ctx context.Context, fn *v1alpha2.Function) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(w.List(ctx, &list, client.InNamespace(fn.Namespace))).To(Succeed())
	var found []string
	for _, event := range list.Items {
		if event.Regarding.UID == fn.UID {
			found = append(found, event.Reason+": "+event.Note)
		}
	}
	return found
}
