package controllers_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

// newNamespace creates a namespace for one spec, and in the end removes what
// is built there: builds are counted in the cluster.
func (w *functionWorld) newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := w.newNamespaceWithoutController(ctx)
	DeferCleanup(func(ctx SpecContext) {
		in := client.InNamespace(namespace)
		Expect(w.DeleteAllOf(ctx, &v1alpha2.Function{}, in)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(w.DeleteAllOf(ctx, &batchv1.Job{}, in, client.PropagationPolicy("Background"))).To(Succeed())
			g.Expect(w.jobs(ctx, namespace)).To(BeEmpty())
		}).Should(Succeed())
	})
	return namespace
}

// newNamespaceWithoutController makes a namespace and nothing more.
func (w *functionWorld) newNamespaceWithoutController(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(w.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

func function(namespace, name string) *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha2.FunctionSpec{
			Runtime: "nodejs22",
			Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: "module.exports = {main: () => 'hi'}"}},
		},
	}
}

// needing is a Function that needs the package.
func needing(namespace, name, dependency string) *v1alpha2.Function {
	fn := function(namespace, name)
	fn.Spec.Source.Inline.Dependencies = `{"dependencies": {"` + dependency + `": "1.0.0"}}`
	return fn
}

// run creates the Function and waits until its Pods, played by the spec, serve.
func (w *functionWorld) run(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Expect(w.Create(ctx, fn)).To(Succeed())
	w.becomesReady(ctx, fn)
}

// becomesReady plays the Deployments' controller until the Function serves its
// present spec, and nothing is wrong with its source.
func (w *functionWorld) becomesReady(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		g.Expect(fn.Status.ObservedGeneration).To(Equal(fn.Generation))
		g.Expect(fn.Status.Condition(v1alpha2.ConditionConfigurationReady)).To(HaveField("Status", corev1.ConditionTrue))
	}).Should(Succeed())
	w.serves(ctx, fn)
}

// serves plays the Deployments' controller until the Function serves its
// present spec, maybe of the source that it had before.
func (w *functionWorld) serves(ctx context.Context, fn *v1alpha2.Function) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		g.Expect(fn.Status.ObservedGeneration).To(Equal(fn.Generation))
		g.Expect(fn).To(haveStatus(v1alpha2.ConditionBuildReady, corev1.ConditionTrue, v1alpha2.ReasonJobFinished, HavePrefix("Image ")))
		deployment := w.deployment(ctx, g, fn)
		w.rollOut(ctx, g, deployment)
		g.Expect(fn).To(haveStatus(v1alpha2.ConditionRunning, corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady,
			Equal("Deployment "+deployment.Name+" is ready")))
	}).Should(Succeed())
}

// rollOut plays a Deployment whose Pods are ready.
func (w *functionWorld) rollOut(ctx context.Context, g Gomega, deployment *appsv1.Deployment) {
	if deployment.Status.ObservedGeneration == deployment.Generation {
		return
	}
	replicas := *deployment.Spec.Replicas
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
	}
	g.Expect(w.Status().Update(ctx, deployment)).To(Succeed())
}

// change edits the Function, whatever else changes it.
func (w *functionWorld) change(ctx context.Context, fn *v1alpha2.Function, edit func()) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(fn), fn); err != nil {
			return err
		}
		edit()
		return w.Update(ctx, fn)
	})).To(Succeed())
}

// shows waits until the Function has the condition.
func (w *functionWorld) shows(ctx context.Context, fn *v1alpha2.Function, kind v1alpha2.ConditionType, status corev1.ConditionStatus, reason v1alpha2.ConditionReason, message gomegatypes.GomegaMatcher) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		g.Expect(fn).To(haveStatus(kind, status, reason, message))
	}).Should(Succeed())
}

// haveStatus matches a Function with the condition.
func haveStatus(kind v1alpha2.ConditionType, status corev1.ConditionStatus, reason v1alpha2.ConditionReason, message gomegatypes.GomegaMatcher) gomegatypes.GomegaMatcher {
	prefix := fmt.Sprintf("%s=%s/%s: ", kind, status, reason)
	return WithTransform(func(fn *v1alpha2.Function) string {
		found := fn.Status.Condition(kind)
		if found == nil {
			return fmt.Sprintf("no condition %s", kind)
		}
		return fmt.Sprintf("%s=%s/%s: %s", kind, found.Status, found.Reason, found.Message)
	}, And(HavePrefix(prefix), WithTransform(func(text string) string { return strings.TrimPrefix(text, prefix) }, message)))
}

func (w *functionWorld) deployment(ctx context.Context, g Gomega, fn *v1alpha2.Function) *appsv1.Deployment {
	var list appsv1.DeploymentList
	g.Expect(w.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})).To(Succeed())
	g.Expect(list.Items).To(HaveLen(1))
	return &list.Items[0]
}

// image is what the Function's Deployment runs.
func (w *functionWorld) image(ctx context.Context, fn *v1alpha2.Function) string {
	GinkgoHelper()
	return w.deployment(ctx, Default, fn).Spec.Template.Spec.Containers[0].Image
}

func (w *functionWorld) jobs(ctx context.Context, namespace string) []batchv1.Job {
	GinkgoHelper()
	var list batchv1.JobList
	Expect(w.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	return list.Items
}

// onlyJob waits for the namespace's one Job.
func (w *functionWorld) onlyJob(ctx context.Context, namespace string) *batchv1.Job {
	GinkgoHelper()
	Eventually(func() []batchv1.Job { return w.jobs(ctx, namespace) }).Should(HaveLen(1))
	return &w.jobs(ctx, namespace)[0]
}

// finish plays a Job that succeeds.
func (w *functionWorld) finish(ctx context.Context, job *batchv1.Job) {
	GinkgoHelper()
	w.tryToFinish(ctx, Default, job)
}

// tryToFinish plays a Job that succeeds, unless it is deleted meanwhile.
func (w *functionWorld) tryToFinish(ctx context.Context, g Gomega, job *batchv1.Job) {
	GinkgoHelper()
	for _, argument := range job.Spec.Template.Spec.Containers[0].Args {
		if reference, found := strings.CutPrefix(argument, "--to="); found {
			w.pushDependencies(ctx, job, reference)
		}
	}
	w.succeed(ctx, g, job)
}

// succeed plays a Job that ends well.
func (w *functionWorld) succeed(ctx context.Context, g Gomega, job *batchv1.Job) {
	GinkgoHelper()
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuccessCriteriaMet, Status: "True", Reason: "CompletionsReached", LastTransitionTime: now},
		{Type: batchv1.JobComplete, Status: "True", Reason: "CompletionsReached", LastTransitionTime: now},
	}}
	g.Expect(w.Status().Update(ctx, job)).To(Succeed())
}

// fail plays a Job whose install ends with the log, at the time.
func (w *functionWorld) fail(ctx context.Context, job *batchv1.Job, log string, at metav1.Time) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, GenerateName: job.Name + "-", Labels: job.Spec.Template.Labels},
		Spec:       job.Spec.Template.Spec,
	}
	Expect(w.Create(ctx, pod)).To(Succeed())
	pod.Status.Phase = corev1.PodFailed
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "install", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: log}}}}
	Expect(w.Status().Update(ctx, pod)).To(Succeed())
	job.Status = batchv1.JobStatus{StartTime: &at, Failed: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: "True", Reason: batchv1.JobReasonBackoffLimitExceeded, LastTransitionTime: at},
		{Type: batchv1.JobFailed, Status: "True", Reason: batchv1.JobReasonBackoffLimitExceeded, LastTransitionTime: at},
	}}
	Expect(w.Status().Update(ctx, job)).To(Succeed())
}

func childName(fn *v1alpha2.Function) string { return workload.ChildName(fn) }
