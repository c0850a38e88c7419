package e2e

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const (
	fipsVariable = "KYMA_FIPS_MODE_ENABLED"
	pullVariable = "SKR_IMG_PULL_SECRET"
	pullSecret   = "market"
)

// What lifecycle-manager and the rt-bootstrapper of a restricted market set at
// the operator (contract/kyma.md 1.3 and 4).
var _ = Describe("In a restricted market, the module", Serial, Ordered, func() {
	var (
		former    []corev1.EnvVar
		namespace string
		calls     *caller
	)

	BeforeAll(func(ctx SpecContext) {
		Expect(k8s.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: pullSecret}, Type: corev1.SecretTypeDockerConfigJson,
			StringData: map[string]string{corev1.DockerConfigJsonKey: `{"auths": {"mirror.example.com": {"username": "market", "password": "secret"}}}`},
		})).To(Succeed())
		namespace = restrictedNamespace(ctx)
		fn := nodejs(namespace, "serving", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))
		calls = callThroughout(url)
		DeferCleanup(func() { calls.stop() })

		deployment := operator(ctx)
		former = deployment.Spec.Template.Spec.Containers[0].Env
		DeferCleanup(func(ctx SpecContext) {
			setEnvironment(ctx, former)
			hasEnvironment(ctx, "serverless-ctrl-mngr", BeEmpty())
			Expect(k8s.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: pullSecret}})).To(Succeed())
		})
		env := append([]corev1.EnvVar{{Name: fipsVariable, Value: "true"}, {Name: pullVariable, Value: pullSecret}}, former...)
		for i := range env {
			switch env[i].Name {
			case "IMAGE_FUNCTION_CONTROLLER":
				env[i].Value += "@" + digest(env[i].Value)
			case "IMAGE_FUNCTION_BUILDER":
				env[i].Value = repository(env[i].Value) + "@" + digest(env[i].Value)
			}
		}
		setEnvironment(ctx, env)
	})

	It("becomes ready in FIPS mode, with images by digest and the market's pull Secret", func(ctx SpecContext) {
		for _, deployment := range []string{"serverless-ctrl-mngr", "serverless-webhook-svc", "serverless-docker-registry"} {
			hasEnvironment(ctx, deployment, Equal("true"))
			found, err := moduleDeployment(ctx, deployment)
			Expect(err).NotTo(HaveOccurred())
			Expect(found.Spec.Template.Spec.ImagePullSecrets).To(ConsistOf(corev1.LocalObjectReference{Name: pullSecret}))
			Expect(found.Spec.Template.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "GODEBUG", Value: "fips140=only,tlsmlkem=0"}))
		}
		controller, err := moduleDeployment(ctx, "serverless-ctrl-mngr")
		Expect(err).NotTo(HaveOccurred())
		Expect(controller.Spec.Template.Spec.Containers[0].Image).To(MatchRegexp(`:[^@/]+@sha256:[0-9a-f]{64}$`))
	})

	It("builds Functions from copies of its images, in namespaces that don't have the market's Secret", func(ctx SpecContext) {
		fn := nodejs(namespace, "built", firstSource, `{"dependencies": {"lodash": "4.17.21"}, "overrides": {"nothing": "fips"}}`)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
		var jobs batchv1.JobList
		Expect(k8s.List(ctx, &jobs, client.InNamespace(namespace), client.MatchingLabels{v1alpha2.LabelFunctionName: fn.Name})).To(Succeed())
		Expect(jobs.Items).To(HaveLen(1))
		pod := jobs.Items[0].Spec.Template.Spec
		for _, container := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
			Expect(container.Image).To(HavePrefix("localhost:"), container.Name)
		}
		var secrets corev1.SecretList
		Expect(k8s.List(ctx, &secrets, client.InNamespace(namespace))).To(Succeed())
		Expect(secrets.Items).NotTo(ContainElement(HaveField("Name", pullSecret)))
	})

	It("refuses what can't be had in FIPS mode", func(ctx SpecContext) {
		fn := nodejs(namespace, "old", answering("never"), "")
		fn.Spec.Runtime = "nodejs20"
		Expect(k8s.Create(ctx, fn)).To(MatchError(ContainSubstring("FIPS")))
	})

	It("failed no request of a Function all the while", func() {
		calls.stop()
		count, failures := calls.seen()
		Expect(count).To(BeNumerically(">", 100))
		Expect(failures).To(BeEmpty())
	})
})

// hasEnvironment waits until the module is ready and the Deployment's variable
// for FIPS mode has the value; "" is none.
func hasEnvironment(ctx context.Context, deployment string, value OmegaMatcher) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		found, err := moduleDeployment(ctx, deployment)
		g.Expect(err).NotTo(HaveOccurred())
		asked := ""
		for _, variable := range found.Spec.Template.Spec.Containers[0].Env {
			if variable.Name == fipsVariable {
				asked = variable.Value
			}
		}
		g.Expect(asked).To(value)
		g.Expect(found.Status.UpdatedReplicas).To(And(Equal(found.Status.Replicas), Equal(found.Status.AvailableReplicas)))
		g.Expect(state(ctx, module)()).To(Equal("Ready"))
	}).WithTimeout(ready).Should(Succeed())
}

func setEnvironment(ctx context.Context, env []corev1.EnvVar) {
	GinkgoHelper()
	deployment := operator(ctx)
	former := deployment.DeepCopy()
	deployment.Spec.Template.Spec.Containers[0].Env = env
	Expect(k8s.Patch(ctx, deployment, client.MergeFrom(former))).To(Succeed())
}

func digest(image string) string {
	GinkgoHelper()
	reference, err := name.ParseReference(image)
	Expect(err).NotTo(HaveOccurred())
	descriptor, err := remote.Head(reference)
	Expect(err).NotTo(HaveOccurred())
	return descriptor.Digest.String()
}

func repository(image string) string {
	GinkgoHelper()
	reference, err := name.ParseReference(image)
	Expect(err).NotTo(HaveOccurred())
	return reference.Context().Name()
}
