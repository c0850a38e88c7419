package e2e

import (
	"context"
	"fmt"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// As a monitoring system of the cluster sees the controller (docs/user/monitoring.md).
var _ = Describe("Monitoring", func() {
	It("finds a Function's durations at the controller's Service, as long as it exists", func(ctx SpecContext) {
		service := &corev1.Service{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kyma-system", Name: "serverless-controller-manager"}, service)).To(Succeed())
		Expect(service.Annotations).To(And(HaveKeyWithValue("prometheus.io/scrape", "true"),
			HaveKeyWithValue("prometheus.io/port", "8080"), HaveKeyWithValue("prometheus.io/path", "/metrics")))
		fn := nodejs(restrictedNamespace(ctx), "measured", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		labels := fmt.Sprintf(`{name="measured",namespace=%q,runtime="nodejs22",type="inline"}`, fn.Namespace)
		for _, duration := range []string{"configured", "built", "running"} {
			series := "function_" + duration + "_status_duration_millisecond" + labels
			Eventually(metrics(ctx)).WithTimeout(ready).Should(ContainSubstring(series))
		}
		Expect(metrics(ctx)()).To(ContainSubstring("serverless_builds_waiting 0"))

		Expect(k8s.Delete(ctx, fn)).To(Succeed())
		Eventually(metrics(ctx)).ShouldNot(ContainSubstring(labels))
	})

	It("finds the controller healthy, with and without a slash", func(ctx SpecContext) {
		var pods corev1.PodList
		Expect(k8s.List(ctx, &pods, client.InNamespace("kyma-system"), client.MatchingLabels{"kyma-project.io/component": "controller"})).To(Succeed())
		Expect(pods.Items).NotTo(BeEmpty())
		for _, path := range []string{"healthz", "healthz/", "readyz"} {
			Expect(raw(ctx, "/api/v1/namespaces/kyma-system/pods/"+pods.Items[0].Name+":8090/proxy/"+path)).To(Equal("ok"), path)
		}
	})
})

var _ = Describe("A namespace", func() {
	It("has the registry's credentials only while it has Functions", func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		key := client.ObjectKey{Namespace: namespace, Name: "serverless-registry-config-default"}
		missing := func() bool { return apierrors.IsNotFound(k8s.Get(ctx, key, &corev1.Secret{})) }
		Expect(missing()).To(BeTrue())
		fn := nodejs(namespace, "only", answering("here"), "")
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("here"))
		Expect(missing()).To(BeFalse())
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
		Eventually(missing).Should(BeTrue())
	})
})

func metrics(ctx context.Context) func() (string, error) {
	return func() (string, error) {
		return raw(ctx, "/api/v1/namespaces/kyma-system/services/serverless-controller-manager:http-metrics/proxy/metrics")
	}
}

// raw asks the API server, which passes the request on.
func raw(ctx context.Context, path string) (string, error) {
	output, err := exec.CommandContext(ctx, "kubectl", "get", "--raw", path).CombinedOutput()
	return string(output), err
}
