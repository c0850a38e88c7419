package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// functionLifecycleSpecs are about Functions that need no Job (contract/functions.md 12, checks 45 to 52).
func functionLifecycleSpecs(w *functionWorld) {
	It("runs inline code from an image by digest, and says so", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "orders")
		fn.Labels = map[string]string{"team": "shop"}
		w.run(ctx, fn)

		var configMap corev1.ConfigMap
		Expect(w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: childName(fn)}, &configMap)).To(Succeed())
		Expect(configMap.Data).To(Equal(map[string]string{"source": fn.Spec.Source.Inline.Source, "dependencies": "{}"}))
		Expect(configMap.Labels).To(HaveKeyWithValue("team", "shop"))
		Expect(w.image(ctx, fn)).To(MatchRegexp(`^localhost:32137/%s__orders@sha256:[0-9a-f]{64}$`, fn.Namespace))
		Expect(w.jobs(ctx, fn.Namespace)).To(BeEmpty())

		var service corev1.Service
		Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), &service)).To(Succeed())
		Expect(service.Spec.Ports).To(HaveLen(1))
		Expect(service.Spec.Ports[0].Port).To(BeEquivalentTo(80))
		Expect(w.deployment(ctx, Default, fn).Spec.Template.Labels).To(HaveKeyWithValue(v1alpha2.LabelUUID, service.Spec.Selector[v1alpha2.LabelUUID]))

		Expect(fn).To(haveStatus(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonConfigMapCreated,
			Equal("ConfigMap "+configMap.Name+" created")))
		Expect(fn.Status.Conditions[0].Type).To(Equal(v1alpha2.ConditionRunning), "the last changed comes first")
		Expect(fn.Status.Runtime).To(Equal(v1alpha2.Runtime("nodejs22")))
		Expect(fn.Status.FunctionResourceProfile).To(Equal("XS"))
		Expect(fn.Status.BuildResourceProfile).To(Equal("slow"))
		Expect(fn.Status.Replicas).To(BeEquivalentTo(1))
		Eventually(func(g Gomega) {
			g.Expect(w.events(ctx, fn)).To(ContainElements(
				"Normal ConfigMapCreated", "Normal JobFinished", "Normal DeploymentCreated", "Normal DeploymentReady"))
		}).Should(Succeed())
	})

	It("rolls an edit out without a Job, and back to the first image", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "edited")
		first := fn.Spec.Source.Inline.Source
		w.run(ctx, fn)
		firstImage := w.image(ctx, fn)

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = first + " // changed" })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).NotTo(Equal(firstImage))
		Expect(fn).To(haveStatus(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonConfigMapUpdated,
			Equal(`Updated ConfigMap: "`+childName(fn)+`"`)))

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = first })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).To(Equal(firstImage))
		Expect(w.jobs(ctx, fn.Namespace)).To(BeEmpty())
	})

	It("takes other settings into its Pods and keeps the image", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "settings")
		w.run(ctx, fn)
		before := w.image(ctx, fn)
		w.change(ctx, fn, func() { fn.Spec.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}} })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).To(Equal(before))
		Expect(w.deployment(ctx, Default, fn).Spec.Template.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "GREETING", Value: "hello"}))
	})

	It("keeps running when its spec becomes invalid", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "invalid")
		w.run(ctx, fn)
		before := w.image(ctx, fn)

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Dependencies = "foo" })
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			Equal("invalid source.inline.dependencies value: deps should start with '{' and end with '}'"))
		Expect(fn).To(haveStatus(v1alpha2.ConditionRunning, corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady, Not(BeEmpty())))
		Expect(w.image(ctx, fn)).To(Equal(before))
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Warning InvalidFunctionSpec"))

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Dependencies = "" })
		w.becomesReady(ctx, fn)
		Expect(fn).To(haveStatus(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonConfigMapUpdated, Not(BeEmpty())))
	})

	It("is configured, then built, then running, as those who watch it see", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		watcher, err := client.NewWithWatch(w.config, client.Options{Scheme: w.scheme})
		Expect(err).NotTo(HaveOccurred())
		stream, err := watcher.Watch(ctx, &v1alpha2.FunctionList{}, client.InNamespace(namespace))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(stream.Stop)
		fn := needing(namespace, "watched", "watched")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.finish(ctx, w.onlyJob(ctx, namespace))
		w.becomesReady(ctx, fn)

		var became []v1alpha2.ConditionType
		for len(became) < 3 {
			var seen watch.Event
			Eventually(stream.ResultChan()).Should(Receive(&seen))
			before := len(became)
			for _, condition := range seen.Object.(*v1alpha2.Function).Status.Conditions {
				if condition.Status == corev1.ConditionTrue && !slices.Contains(became, condition.Type) {
					became = append(became, condition.Type)
				}
			}
			Expect(len(became)-before).To(BeNumerically("<=", 1), "each in a step of its own")
		}
		Expect(became).To(HaveExactElements(v1alpha2.ConditionConfigurationReady, v1alpha2.ConditionBuildReady, v1alpha2.ConditionRunning))
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElements(
			"Normal ConfigMapCreated", "Normal JobCreated", "Normal JobFinished", "Normal DeploymentCreated", "Normal DeploymentReady"))
	})

	It("names a replacement for a runtime that is not offered", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "old")
		fn.Spec.Runtime = "nodejs18"
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			Equal("cannot find runtime: nodejs18 is not offered by this installation; set spec.runtime to nodejs22"))
		w.change(ctx, fn, func() { fn.Spec.Runtime = "python312" })
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			Equal("cannot find runtime: python312 is not offered by this installation, nor is any other version of python; what it offers: nodejs22"))
		w.change(ctx, fn, func() { fn.Spec.Runtime = "nodejs22" })
		w.becomesReady(ctx, fn)
	})

	It("comes to run while more Functions than there are workers wait for a registry that hangs", func(ctx SpecContext) {
		var requests atomic.Int64
		asked, abandoned := make(chan struct{}), make(chan struct{})
		hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
			if requests.Add(1) > 1 {
				<-request.Context().Done()
				return
			}
			close(asked)
			<-request.Context().Done()
			close(abandoned)
		}))
		DeferCleanup(hangs.Close)
		DeferCleanup(hangs.CloseClientConnections)
		slow := w.newNamespace(ctx)
		address := strings.TrimPrefix(hangs.URL, "http://")
		Expect(w.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: slow, Name: registrySecretName, Labels: map[string]string{
				v1alpha2.LabelConfig: v1alpha2.ConfigCredentials, v1alpha2.LabelManagedBy: v1alpha2.ManagedByUser,
			}},
			StringData: map[string]string{"isInternal": "true", "pushRegAddr": address, "pullRegAddr": address},
		})).To(Succeed())
		for i := range workers + 4 {
			Expect(w.Create(ctx, function(slow, fmt.Sprintf("slow-%d", i)))).To(Succeed())
		}
		Eventually(asked).Should(BeClosed())

		fn := function(w.newNamespace(ctx), "quick")
		w.run(ctx, fn)
		Expect(abandoned).NotTo(BeClosed(), "the registry is still given time to answer")
		w.shows(ctx, function(slow, "slow-0"), v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			HavePrefix("Build waits: registry "+address+" is not available: "))
	})

	It("waits for a registry that is down, and goes on by itself", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "waiting")
		w.run(ctx, fn)
		before := w.image(ctx, fn)
		w.registryDown.Store(true)
		DeferCleanup(func() { w.registryDown.Store(false) })

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source += " // changed" })
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			HavePrefix("Build waits: registry "+w.registryHost+" is not available: "))
		Expect(w.image(ctx, fn)).To(Equal(before))

		w.registryDown.Store(false)
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).NotTo(Equal(before))
	})

	It("serves while the registry is full, which its condition says, and goes on by itself", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "squeezed")
		w.run(ctx, fn)
		before := w.image(ctx, fn)
		w.registryFull.Store(true)
		DeferCleanup(func() { w.registryFull.Store(false) })

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source += " // changed" })
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, Equal(
			"Build waits: registry "+w.registryHost+" is full: 100 % of its 20.0 GiB are in use; tell the administrator of the cluster; it will be tried again"))
		Expect(w.image(ctx, fn)).To(Equal(before))
		Expect(fn.Status.Condition(v1alpha2.ConditionRunning).Status).To(Equal(corev1.ConditionTrue))

		By("going back to what is there")
		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = strings.TrimSuffix(fn.Spec.Source.Inline.Source, " // changed") })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).To(Equal(before))

		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source += " // changed" })
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, ContainSubstring("is full"))
		w.registryFull.Store(false)
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).NotTo(Equal(before))
	})
}

// events are the types and reasons of the Function's events.
func (w *functionWorld) events(ctx context.Context, fn *v1alpha2.Function) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(w.List(ctx, &list, client.InNamespace(fn.Namespace))).To(Succeed())
	var found []string
	for _, event := range list.Items {
		if event.Regarding.UID == fn.UID {
			found = append(found, event.Type+" "+event.Reason)
		}
	}
	return found
}
