package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

var _ = Describe("A serving Function that is given bad input", func() {
	var (
		fn  *v1alpha2.Function
		url string
	)

	BeforeEach(func(ctx SpecContext) {
		fn = nodejs(restrictedNamespace(ctx), "victim", answering("before"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("before"))
	})

	stillServes := func() {
		GinkgoHelper()
		Consistently(answer(url)).WithTimeout(2 * time.Second).Should(Equal("before"))
	}

	repair := func(ctx SpecContext) {
		GinkgoHelper()
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Runtime = "nodejs22"
			spec.Source.Inline = &v1alpha2.InlineSource{Source: answering("after")}
		})
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("after"))
		for _, t := range []v1alpha2.ConditionType{v1alpha2.ConditionConfigurationReady, v1alpha2.ConditionBuildReady, v1alpha2.ConditionRunning} {
			Eventually(condition(ctx, fn, t)).Should(HaveField("Status", corev1.ConditionTrue), string(t))
		}
	}

	It("keeps serving the former revision while the source throws at load", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source = "throw new Error('no database configured');"
		})
		failed := haveReason(corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed,
			And(ContainSubstring("no database configured"), ContainSubstring("correct the Function's code"), ContainSubstring("former revision keeps serving")))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(failed)
		Eventually(events(ctx, fn)).Should(ContainElement(And(HavePrefix("Warning DeploymentFailed"), ContainSubstring("no database configured"))))
		stillServes()
		repair(ctx)
	})

	It("keeps serving the former revision while an npm package does not exist", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Dependencies = `{"dependencies": {"lodash": "0.0.404"}}`
		})
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionFalse,
			v1alpha2.ReasonJobFailed, And(ContainSubstring("it will be re-run"), ContainSubstring("lodash@0.0.404"))))
		Eventually(events(ctx, fn)).Should(ContainElement(And(HavePrefix("Warning JobFailed"), ContainSubstring("lodash@0.0.404"))))
		stillServes()
		repair(ctx)
	})

	It("keeps serving the former revision while the package registry is down, and recovers when it is configured right", func(ctx SpecContext) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: endpoint.PackageRegistrySecret}}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		working := secret.Data[".npmrc"]
		secret.Data[".npmrc"] = []byte("registry=http://127.0.0.1:9/\nfetch-retries=0\n")
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source, spec.Source.Inline.Dependencies = firstSource, lodash
		})
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionFalse,
			v1alpha2.ReasonJobFailed, And(ContainSubstring("ECONNREFUSED"), ContainSubstring("127.0.0.1:9"))))
		stillServes()
		secret.Data[".npmrc"] = working
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
	})

	It("keeps serving the former revision while the runtime is not known", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Runtime = "nodejs16" })
		invalid := haveReason(corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			And(ContainSubstring("nodejs16"), ContainSubstring("set spec.runtime to nodejs22")))
		Eventually(condition(ctx, fn, v1alpha2.ConditionConfigurationReady)).Should(invalid)
		Eventually(events(ctx, fn)).Should(ContainElement(And(HavePrefix("Warning InvalidFunctionSpec"), ContainSubstring("nodejs16"))))
		stillServes()
		repair(ctx)
	})

	It("is refused a runtime that never was", func(ctx SpecContext) {
		fn.Spec.Runtime = "cobol85"
		Eventually(func() error {
			current := &v1alpha2.Function{}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), current)).To(Succeed())
			current.Spec.Runtime = "cobol85"
			return k8s.Update(ctx, current)
		}).Should(MatchError(And(ContainSubstring("cobol85"), ContainSubstring("supported values"))))
		stillServes()
	})

	// Serial: all Functions of the cluster are without a registry meanwhile.
	It("keeps serving the former revision while the registry of images is down, and recovers by itself", Serial, func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			scale(ctx, "serverless-docker-registry", 1)
			scale(ctx, "serverless-operator", 1)
		})
		// The operator would start the registry again.
		scale(ctx, "serverless-operator", 0)
		scale(ctx, "serverless-docker-registry", 0)
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("after") })
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionUnknown,
			v1alpha2.ReasonJobRunning, And(ContainSubstring("serverless-docker-registry"), ContainSubstring("not available"))))
		stillServes()
		scale(ctx, "serverless-docker-registry", 1)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("after"))
	})
})
