package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

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
