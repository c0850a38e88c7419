package e2e

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
	"kyma-project.io/serverless/tests/packageindex"
)

var _ = Describe("A Python Function", Ordered, func() {
	const greets = `import sys
import greeting

def main(event, context):
    return f"{greeting.TEXT} {event['extensions']['request'].query.name} from {context['runtime']} on {sys.version[:4]}"
`
	var (
		fn     *v1alpha2.Function
		url    string
		digest string
	)

	BeforeAll(func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		index := packageindex.Index{}
		var err error
		digest, err = index.Add("greeting", "1.0.0", "TEXT = 'hello'\n")
		Expect(err).NotTo(HaveOccurred())
		listener := listenToPods(ctx)
		go func() { _ = http.Serve(listener, index) }()

		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: endpoint.PackageRegistrySecret}, secret)).To(Succeed())
		address := listener.Addr().String()
		secret.Data["pip.conf"] = []byte("[global]\nindex-url = http://" + address + "/simple/\ntrusted-host = " + address + "\n")
		Expect(k8s.Update(ctx, secret)).To(Succeed())

		fn = nodejs(namespace, "greet", greets, "# what it says\ngreeting==1.0.0 --hash=sha256:"+digest+"\n")
		fn.Spec.Runtime = "python313"
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn) + "/?name=Ann"
	})

	It("answers, with packages of the namespace's own index", func(ctx SpecContext) {
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("hello Ann from python313 on 3.13"))
	})

	It("takes an edit without a failed request", func(ctx SpecContext) {
		calls := callThroughout(url)
		defer calls.stop()
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source = "import greeting\n\nasync def main(event, context):\n    return greeting.TEXT + ' again'\n"
		})
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("hello again"))
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
	})

	It("serves on while its packages can't be installed, and says pip's reason", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Dependencies = "greeting==2.0.0\n" })
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionFalse,
			v1alpha2.ReasonJobFailed, And(ContainSubstring("it will be re-run"), ContainSubstring("No matching distribution found for greeting==2.0.0"))))
		Expect(answer(url)()).To(Equal("hello again"))
	})

	It("serves on while its new code can't be loaded, and says where it is wrong", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) {
			spec.Source.Inline.Source, spec.Source.Inline.Dependencies = "def main(event, context)\n    pass\n", ""
		})
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(
			HaveField("Message", ContainSubstring("handler.py:1: SyntaxError: expected ':'")))
		Expect(answer(url)()).To(Equal("hello again"))
	})
})
