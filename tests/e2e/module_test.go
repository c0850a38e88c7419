package e2e

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
)

const (
	// kinds are those that the module makes objects of.
	kinds = "mutatingwebhookconfiguration,validatingwebhookconfiguration,crd,clusterrole,clusterrolebinding,priorityclass,deployment,pod,service,secret,configmap,serviceaccount,pvc,role,rolebinding,lease"
	// leftover matches the names of the module's objects. The operator's own,
	// which users apply and delete themselves, stay.
	leftover = `functions\.serverless|serverless-webhook|webhook\.serverless|ctrl-mngr|serverless-controller-manager|serverless-git-push|docker-registry|serverless-function|registry-config-default|serverless-configuration|serverless-priority|serverless\.function\.cli|configmap/functions\n|clusterrole(binding)?\.rbac\.authorization\.k8s\.io/serverless\n`
)

const sampleFile = "../../config/samples/default-serverless-cr.yaml"

var _ = Describe("The module", Serial, Ordered, func() {
	It("is not disabled while there are Functions, and says so", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		fn := nodejs(namespace, "last", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))

		Expect(k8s.Delete(ctx, serverlessResource(ctx))).To(Succeed())
		Eventually(state(ctx, module)).Should(Equal("Warning"))
		Expect(serverlessMessages(ctx, module)).To(ContainElement(MatchRegexp(`found \d+ items with VersionKind serverless.kyma-project.io/v1alpha2`)))
		Consistently(answer(url)).Should(Equal("here"))
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
	})

	It("goes without a trace once the last Function is gone", func(ctx SpecContext) {
		leavesNoTrace(ctx)
	})

	It("is enabled again", func(ctx SpecContext) {
		output, err := exec.CommandContext(ctx, "kubectl", "apply", "-n", module.Namespace, "-f", sampleFile).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		fn := nodejs(restrictedNamespace(ctx), "first", answering("again"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("again"))
	})
})

// leavesNoTrace waits until the module is gone.
func leavesNoTrace(ctx context.Context) {
	GinkgoHelper()
	Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("gone"))
	namesNothing(ctx, leftover)
}

// namesNothing waits until no object's name matches the pattern. Pods take a
// moment longer than their Deployments.
func namesNothing(ctx context.Context, pattern string) {
	GinkgoHelper()
	Eventually(func() (string, error) {
		output, err := exec.CommandContext(ctx, "kubectl", "get", kinds, "-A", "-o", "name").CombinedOutput()
		return string(output), err
	}).WithTimeout(ready).WithPolling(time.Second).ShouldNot(MatchRegexp(pattern))
}

// state is the Serverless resource's state, or "gone".
func state(ctx context.Context, key client.ObjectKey) func() (string, error) {
	return func() (string, error) {
		var serverless operatorv1alpha1.Serverless
		err := k8s.Get(ctx, key, &serverless)
		if apierrors.IsNotFound(err) {
			return "gone", nil
		}
		return string(serverless.Status.State), err
	}
}

func serverlessMessages(ctx context.Context, key client.ObjectKey) []string {
	GinkgoHelper()
	var serverless operatorv1alpha1.Serverless
	Expect(k8s.Get(ctx, key, &serverless)).To(Succeed())
	var messages []string
	for _, condition := range serverless.Status.Conditions {
		messages = append(messages, condition.Message)
	}
	return messages
}
