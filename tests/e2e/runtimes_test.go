package e2e

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

var _ = DescribeTable("Each runtime runs a Function on its own version", func(ctx SpecContext, runtime, version string) {
	fn := nodejs(restrictedNamespace(ctx), "hello", `module.exports = { main: (event, context) => context.runtime + " on " + process.version };`, "")
	fn.Spec.Runtime = v1alpha2.Runtime(runtime)
	Expect(k8s.Create(ctx, fn)).To(Succeed())
	Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(HavePrefix(runtime + " on " + version + "."))
},
	Entry(nil, "nodejs20", "v20"),
	Entry(nil, "nodejs22", "v22"),
	Entry(nil, "nodejs24", "v24"),
)

var _ = Describe("A runtime's base image", func() {
	It("is the override where a Function names one", func(ctx SpecContext) {
		fn := nodejs(restrictedNamespace(ctx), "custom", `module.exports = { main: () => process.version };`, "")
		fn.Spec.RuntimeImageOverride = variable(operator(ctx), "IMAGE_FUNCTION_RUNTIME_NODEJS24")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(HavePrefix("v24."))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		Expect(fn.Status.RuntimeImage).To(Equal(fn.Spec.RuntimeImageOverride))
	})

	// Serial: all Functions of the runtime move to another base meanwhile.
	It("is updated under a Function without a build and without a failed request", Serial, func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		fn := nodejs(namespace, "moved", firstSource, lodash)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		before := image(ctx, fn)
		pods := watchPods(ctx, namespace)
		calls := callThroughout(url)
		defer calls.stop()

		released := variable(operator(ctx), "IMAGE_FUNCTION_RUNTIME_NODEJS22")
		DeferCleanup(func(ctx SpecContext) {
			setVariable(ctx, "IMAGE_FUNCTION_RUNTIME_NODEJS22", released)
			// The specs that follow would see their Functions roll out twice.
			Eventually(func() string { return image(ctx, fn) }).WithTimeout(ready).Should(Equal(before))
		})
		setVariable(ctx, "IMAGE_FUNCTION_RUNTIME_NODEJS22", publishUpdate(released))
		Eventually(func() string { return image(ctx, fn) }).WithTimeout(ready).ShouldNot(Equal(before))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		Eventually(func() int { return replicasTerminating(ctx, namespace) }).WithTimeout(ready).Should(BeZero())
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
		Expect(pods.ownedBy("Job")).To(HaveLen(1), "the same packages fit the updated base")
	})
})

// publishUpdate publishes a base image that differs from the released one and
// keeps its ABI, and returns its reference.
func publishUpdate(released string) string {
	GinkgoHelper()
	reference, err := name.ParseReference(released)
	Expect(err).NotTo(HaveOccurred())
	base, err := remote.Image(reference)
	Expect(err).NotTo(HaveOccurred())
	config, err := base.ConfigFile()
	Expect(err).NotTo(HaveOccurred())
	config = config.DeepCopy()
	config.Config.Labels["org.opencontainers.image.version"] = "updated"
	updated, err := mutate.ConfigFile(base, config)
	Expect(err).NotTo(HaveOccurred())
	target := reference.Context().Tag("updated")
	Expect(remote.Write(target, updated)).To(Succeed())
	return target.String()
}

func operator(ctx context.Context) *appsv1.Deployment {
	GinkgoHelper()
	var deployment appsv1.Deployment
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kyma-system", Name: "serverless-operator"}, &deployment)).To(Succeed())
	return &deployment
}

// variable is an environment variable of the operator.
func variable(operator *appsv1.Deployment, name string) string {
	GinkgoHelper()
	for _, variable := range operator.Spec.Template.Spec.Containers[0].Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	Fail("the operator has no variable " + name)
	return ""
}

// setVariable changes an environment variable of the operator, as an upgrade does.
func setVariable(ctx context.Context, name, value string) {
	GinkgoHelper()
	deployment := operator(ctx)
	former := deployment.DeepCopy()
	env := deployment.Spec.Template.Spec.Containers[0].Env
	for i := range env {
		if env[i].Name == name {
			env[i].Value = value
		}
	}
	Expect(k8s.Patch(ctx, deployment, client.MergeFrom(former))).To(Succeed())
}
