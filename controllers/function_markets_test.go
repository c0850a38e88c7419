package controllers_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// The controller runs as a process of its own, compiled as for its image, with
// the arguments that the chart gives it in a restricted market.
var _ = Describe("Function in a restricted market", Ordered, func() {
	world := &functionWorld{}
	BeforeAll(func(ctx SpecContext) {
		world.prepare(ctx)
		environment := []string{
			"KUBECONFIG=" + kubeconfig(world.config),
			"KYMA_FIPS_MODE_ENABLED=true", "GODEBUG=fips140=only,tlsmlkem=0",
		}
		startProgram(compiledForFIPS(ctx, "function-controller"), environment,
			"--builder-image="+world.releaseBase("builder"), "--runtime-image=nodejs22="+world.base, "--copy-build-images",
			"--resource-config="+suiteProfilesText, "--metrics-bind-address=0", "--health-probe-bind-address=0")
	})

	It("is built by a Job that needs no other credentials than Functions do", func(ctx SpecContext) {
		fn := function(world.newNamespace(ctx), "orders")
		fn.Spec.Source.Inline.Dependencies = `{"dependencies": {"ms": "2"}}`
		Expect(world.Create(ctx, fn)).To(Succeed())
		job := world.onlyJob(ctx, fn.Namespace)
		pod := job.Spec.Template.Spec
		for _, container := range append(pod.InitContainers, pod.Containers...) {
			Expect(container.Image).To(HavePrefix(nodesRegistry+"/runtimes@sha256:"), container.Name)
		}
		Expect(pod.InitContainers[0].Image).NotTo(Equal(pod.Containers[0].Image))
		Expect(pod.ImagePullSecrets).To(BeEmpty())
		Expect(pod.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "GODEBUG", Value: "fips140=only,tlsmlkem=0"}))
		world.finish(ctx, job)
		world.becomesReady(ctx, fn)
	})

	It("says what is not available in FIPS mode", func(ctx SpecContext) {
		fn := function(world.newNamespace(ctx), "outdated")
		fn.Spec.Runtime = "nodejs20"
		fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
			URL: "git@git.test:a/b.git", Repository: v1alpha2.Repository{Reference: "main", BaseDir: "/"},
			Auth: &v1alpha2.RepositoryAuth{Type: v1alpha2.RepositoryAuthSSHKey, SecretName: "git"},
		}}
		Expect(world.Create(ctx, fn)).To(Succeed())
		world.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec,
			Equal(strings.Join([]string{
				"spec.runtime: nodejs20 is not available in FIPS mode; set spec.runtime to nodejs22",
				"source.gitRepository: Git over SSH is not available in FIPS mode; use an https:// URL, with auth of type basic if any",
			}, ". ")))
	})

	It("is looked at by a webhook that speaks TLS in FIPS mode", func(ctx SpecContext) {
		a := installAdmission(ctx, world)
		_, port, err := net.SplitHostPort(a.address)
		Expect(err).NotTo(HaveOccurred())
		environment := []string{"KUBECONFIG=" + kubeconfig(world.config), "KYMA_FIPS_MODE_ENABLED=true", "GODEBUG=fips140=only,tlsmlkem=0"}
		startProgram(compiledForFIPS(ctx, "webhook"), environment, "--port="+port, "--runtime-image=nodejs22=n:1",
			"--resource-config="+suiteProfilesText, "--metrics-bind-address=0", "--health-probe-bind-address=0")
		Eventually(func(g Gomega) {
			trusted := x509.NewCertPool()
			g.Expect(trusted.AppendCertsFromPEM(a.authorities(ctx)[0])).To(BeTrue())
			connection, err := tls.Dial("tcp", a.address, &tls.Config{RootCAs: trusted, ServerName: "serverless-webhook.kyma-system.svc"})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(connection.ConnectionState().CurveID).To(BeElementOf(tls.CurveP256, tls.CurveP384, tls.CurveP521))
			g.Expect(connection.Close()).To(Succeed())
		}).Should(Succeed())
	})
})
