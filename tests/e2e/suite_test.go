// Package e2e holds what users see of the module on a real cluster.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

var k8s client.WithWatch

// TestE2E needs KUBECONFIG to name a local cluster with the module; without
// it there is nothing to test, and `make test` always sets it.
func TestE2E(t *testing.T) {
	if os.Getenv("KUBECONFIG") == "" {
		t.Skip("KUBECONFIG is not set: run `make test-e2e`")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Serverless on a real cluster")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	log.SetLogger(GinkgoLogr)
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha2.AddToScheme(scheme)).To(Succeed())
	Expect(operatorv1alpha1.AddToScheme(scheme)).To(Succeed())
	k8s, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	var modules operatorv1alpha1.ServerlessList
	Expect(k8s.List(ctx, &modules)).To(Succeed())
	Expect(modules.Items).To(HaveLen(1))
	Expect(string(modules.Items[0].Status.State)).To(Equal("Ready"))
})

// restrictedNamespace makes a namespace that enforces the restricted Pod
// Security Standard, and deletes it after the spec.
func restrictedNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			describe(ctx, namespace.Name)
		}
		Expect(k8s.Delete(ctx, namespace)).To(Succeed())
	})
	Expect(endpoint.ConfigurePackageRegistry(ctx, k8s, namespace.Name)).To(Succeed())
	return namespace.Name
}

// describe prints what is needed to understand a failure.
func describe(ctx context.Context, namespace string) {
	var functions v1alpha2.FunctionList
	if err := k8s.List(ctx, &functions, client.InNamespace(namespace)); err == nil {
		for _, fn := range functions.Items {
			for _, condition := range fn.Status.Conditions {
				AddReportEntry(fn.Name, fmt.Sprintf("%s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message))
			}
		}
	}
	var events corev1.EventList
	if err := k8s.List(ctx, &events, client.InNamespace(namespace)); err == nil {
		for _, event := range events.Items {
			AddReportEntry("event", fmt.Sprintf("%s %s: %s", event.InvolvedObject.Name, event.Reason, event.Message))
		}
	}
}

// nodejs is a Function that answers with the body; package.json may be empty.
func nodejs(namespace, name, source, dependencies string) *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha2.FunctionSpec{
			Runtime: "nodejs22",
			Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: source, Dependencies: dependencies}},
		},
	}
}

func answering(body string) string {
	return fmt.Sprintf("module.exports = { main: () => %q };", body)
}

// edit changes the Function's spec, whatever the controller writes meanwhile.
func edit(ctx context.Context, fn *v1alpha2.Function, change func(*v1alpha2.FunctionSpec)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn); err != nil {
			return err
		}
		change(&fn.Spec)
		return k8s.Update(ctx, fn)
	}).Should(Succeed())
}

// condition reads the Function's condition of the type, once the status
// describes the newest spec.
func condition(ctx context.Context, fn *v1alpha2.Function, t v1alpha2.ConditionType) func() v1alpha2.Condition {
	return func() v1alpha2.Condition {
		current := &v1alpha2.Function{}
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(fn), current); err != nil || current.Status.ObservedGeneration != current.Generation {
			return v1alpha2.Condition{}
		}
		if found := current.Status.Condition(t); found != nil {
			return *found
		}
		return v1alpha2.Condition{}
	}
}

func haveReason(status corev1.ConditionStatus, reason v1alpha2.ConditionReason, message gomegatypes.GomegaMatcher) gomegatypes.GomegaMatcher {
	return And(HaveField("Status", status), HaveField("Reason", reason), HaveField("Message", message))
}

// events are the messages of the Function's events.
func events(ctx context.Context, fn *v1alpha2.Function) func() []string {
	return func() []string {
		var list corev1.EventList
		if err := k8s.List(ctx, &list, client.InNamespace(fn.Namespace), client.MatchingFields{"involvedObject.uid": string(fn.UID)}); err != nil {
			return nil
		}
		var messages []string
		for _, event := range list.Items {
			messages = append(messages, event.Type+" "+event.Reason+" "+event.Message)
		}
		return messages
	}
}
