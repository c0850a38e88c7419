package e2e

import (
	"context"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
)

const sampleFile = "../../config/samples/default-serverless-cr.yaml"

var _ = Describe("The module", Ordered, func() {
	key := client.ObjectKey{Namespace: "kyma-system", Name: "default"}

	It("is not disabled while there are Functions, and says so", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		fn := nodejs(namespace, "last", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))

		Expect(k8s.Delete(ctx, &operatorv1alpha1.Serverless{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})).To(Succeed())
		Eventually(state(ctx, key)).Should(Equal("Warning"))
		Expect(serverlessMessages(ctx, key)).To(ContainElement(MatchRegexp(`found \d+ items with VersionKind serverless.kyma-project.io/v1alpha2`)))
		Consistently(answer(url)).Should(Equal("here"))
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
	})

	It("goes without a trace once the last Function is gone", func(ctx SpecContext) {
		Eventually(state(ctx, key)).WithTimeout(ready).Should(Equal("gone"))
		output, err := exec.CommandContext(ctx, "kubectl", "get", "crd,clusterrole,clusterrolebinding,priorityclass,all,secret,configmap,serviceaccount,pvc,role,rolebinding,lease",
			"-A", "-o", "name").CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		// What is left is the operator's own, which users apply and delete themselves.
		Expect(string(output)).NotTo(MatchRegexp(`(?m)^.*(functions\.serverless|ctrl-mngr|controller-manager-token|docker-registry|serverless-function|registry-config|priorityclass.*serverless|clusterrole.*/serverless$).*$`))
	})

	It("is enabled again", func(ctx SpecContext) {
		output, err := exec.CommandContext(ctx, "kubectl", "apply", "-n", key.Namespace, "-f", sampleFile).CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		Eventually(state(ctx, key)).WithTimeout(ready).Should(Equal("Ready"))
		fn := nodejs(restrictedNamespace(ctx), "first", answering("again"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("again"))
	})

	It("runs in Pods that satisfy the restricted Pod Security Standard", func(ctx SpecContext) {
		var deployments appsv1.DeploymentList
		Expect(k8s.List(ctx, &deployments, client.InNamespace(key.Namespace))).To(Succeed())
		Expect(deployments.Items).To(HaveLen(3))
		// The API server judges: a dry run of the label warns of each Pod that doesn't satisfy it.
		output, err := exec.CommandContext(ctx, "kubectl", "label", "--dry-run=server", "--overwrite", "namespace", key.Namespace,
			"pod-security.kubernetes.io/enforce=restricted").CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		Expect(string(output)).NotTo(ContainSubstring("Warning"))
	})
})

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
