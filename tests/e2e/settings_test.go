package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

var _ = Describe("A Function's settings", func() {
	It("are files of a Secret, and it runs once the Secret is there", func(ctx SpecContext) {
		fn := nodejs(restrictedNamespace(ctx), "mounting", `module.exports = { main: () => require('fs').readFileSync('/run/token/key', 'utf8') };`, "")
		fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "token", MountPath: "/run/token"}}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Message", ContainSubstring("Secret token doesn't exist")))
		Consistently(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(3 * time.Second).Should(HaveField("Status", corev1.ConditionUnknown))
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "token"}, StringData: map[string]string{"key": "opensesame"},
		})).To(Succeed())
		// The kubelet tries to mount at growing intervals, up to two minutes.
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		Eventually(answer(expose(ctx, fn))).Should(Equal("opensesame"))
	})

	It("are variables from a ConfigMap, from a Secret and from the Pod", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		fn := nodejs(namespace, "reading", `module.exports = { main: () => ['PLAIN', 'CONFIGURED', 'SECRET', 'WHERE', 'FUNC_NAME'].map(n => process.env[n]).join() };`, "")
		fn.Spec.Env = []corev1.EnvVar{
			{Name: "PLAIN", Value: "plain"},
			{Name: "CONFIGURED", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "color"}}},
			{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "token"}, Key: "key"}}},
			{Name: "WHERE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
		}
		Expect(k8s.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: map[string]string{"color": "blue"}})).To(Succeed())
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(
			haveReason(corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed, ContainSubstring(`secret "token" not found`)))
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token"}, StringData: map[string]string{"key": "opensesame"},
		})).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("plain,blue,opensesame," + namespace + ",reading"))
	})
})

var _ = Describe("The module's Pods", func() {
	It("satisfy the restricted Pod Security Standard", func(ctx SpecContext) {
		Expect(restrictedWarnings(ctx, "kyma-system")).To(BeEmpty())
	})

	It("would be warned of if they did not", func(ctx SpecContext) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
		Expect(k8s.Create(ctx, namespace)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, namespace)).To(Succeed()) })
		Expect(k8s.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "unrestricted"},
			// No node has the label: it is never to run.
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}, NodeSelector: map[string]string{"no": "node"}},
		})).To(Succeed())
		Expect(restrictedWarnings(ctx, namespace.Name)).To(ContainElement(ContainSubstring("unrestricted")))
	})
})

// restrictedWarnings is what the API server would warn of if the namespace
// enforced the restricted Pod Security Standard.
func restrictedWarnings(ctx context.Context, namespace string) []string {
	GinkgoHelper()
	warned, seen := listening()
	object := &corev1.Namespace{}
	Expect(warned.Get(ctx, client.ObjectKey{Name: namespace}, object)).To(Succeed())
	former := object.DeepCopy()
	metav1.SetMetaDataLabel(&object.ObjectMeta, "pod-security.kubernetes.io/enforce", "restricted")
	Expect(warned.Patch(ctx, object, client.MergeFrom(former), client.DryRunAll)).To(Succeed())
	return *seen
}
