package e2e

import (
	"net"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/gitserver"
)

var _ = Describe("A Function from Git", Ordered, func() {
	var (
		namespace, httpURL, sshURL, key string
		repository                      *gitserver.Repository
		fn                              *v1alpha2.Function
		url, first                      string
	)

	commit := func(branch, body string) string {
		GinkgoHelper()
		id, err := repository.Commit(branch, gitserver.Files(map[string]string{
			"functions/greet/handler.js":  "const text = require('./lib/text'); module.exports = { main: () => text };",
			"functions/greet/lib/text.js": "module.exports = '" + body + "';",
			"functions/other/handler.js":  "not JavaScript",
		}))
		Expect(err).NotTo(HaveOccurred())
		return id
	}
	create := func(ctx SpecContext, name, address, reference string, auth *v1alpha2.RepositoryAuth) *v1alpha2.Function {
		GinkgoHelper()
		fn := nodejs(namespace, name, "", "")
		fn.Annotations = map[string]string{v1alpha2.AnnotationContinuousGitCheckout: "true"}
		fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
			URL: address, Auth: auth, Repository: v1alpha2.Repository{BaseDir: "/functions/greet", Reference: reference},
		}}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		return fn
	}
	secret := func(ctx SpecContext, name string, kind v1alpha2.RepositoryAuthType, data map[string]string) *v1alpha2.RepositoryAuth {
		GinkgoHelper()
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})).To(Succeed())
		return &v1alpha2.RepositoryAuth{Type: kind, SecretName: name}
	}
	basic := map[string]string{"username": "ann", "password": "s3cret"}

	BeforeAll(func(ctx SpecContext) {
		namespace = restrictedNamespace(ctx)
		root := GinkgoT().TempDir()
		var err error
		repository, err = gitserver.Create(root, "shop.git")
		Expect(err).NotTo(HaveOccurred())
		first = commit("feature/x", "one")

		handler, err := gitserver.HTTP(root, "ann", "s3cret")
		Expect(err).NotTo(HaveOccurred())
		overHTTP := listenToPods(ctx)
		go func() { _ = http.Serve(overHTTP, handler) }()
		httpURL = "http://" + overHTTP.Addr().String() + "/shop.git"

		private, public, err := gitserver.NewKey("open sesame")
		Expect(err).NotTo(HaveOccurred())
		key = private
		server, err := gitserver.NewSSH(root, public)
		Expect(err).NotTo(HaveOccurred())
		overSSH := listenToPods(ctx)
		go server.Serve(overSSH)
		sshURL = "ssh://git@" + overSSH.Addr().String() + "/shop.git"
	})

	It("answers with the code of its branch, in a namespace that enforces the restricted Pod Security Standard", func(ctx SpecContext) {
		fn = create(ctx, "greet", httpURL, "feature/x", secret(ctx, "basic", "basic", basic))
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("one"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionConfigurationReady)).Should(
			haveReason(corev1.ConditionTrue, v1alpha2.ReasonSourceUpdated, Equal("Sources greet updated")))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		Expect(fn.Status.Commit).To(Equal(first))
	})

	It("answers with the code of a new commit, and fails no request meanwhile", func(ctx SpecContext) {
		calls := callThroughout(url)
		defer calls.stop()
		second := commit("feature/x", "two")
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("two"))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
		Expect(fn.Status.Commit).To(Equal(second))
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
	})

	It("goes back to a commit without a fetch", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.GitRepository.Reference = first })
		Eventually(answer(url)).Should(Equal("one"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).Should(HaveField("Status", corev1.ConditionTrue))
		Eventually(func() int { return replicasTerminating(ctx, namespace) }).Should(BeZero(), "the former Pods go")
	})

	It("serves on while a branch is not there, and says so", func(ctx SpecContext) {
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.GitRepository.Reference = "none" })
		Eventually(condition(ctx, fn, v1alpha2.ConditionConfigurationReady)).Should(
			haveReason(corev1.ConditionFalse, v1alpha2.ReasonSourceUpdateFailed, HavePrefix("Stop reconciliation, reason: ")))
		Expect(answer(url)()).To(Equal("one"))
	})

	It("says that its credentials are wrong", func(ctx SpecContext) {
		wrong := create(ctx, "wrong", httpURL, "feature/x", secret(ctx, "wrong", "basic", map[string]string{"username": "ann", "password": "wr0ng"}))
		Eventually(condition(ctx, wrong, v1alpha2.ConditionConfigurationReady)).Should(
			haveReason(corev1.ConditionFalse, v1alpha2.ReasonSourceUpdateFailed, Equal("Authorization to git server failed")))
		Expect(strings.Join(events(ctx, wrong)(), "\n")).NotTo(ContainSubstring("wr0ng"))
	})

	It("answers with the code of a tag that it got over SSH", func(ctx SpecContext) {
		Expect(repository.Tag("v1", first, "the first")).To(Succeed())
		tagged := create(ctx, "tagged", sshURL, "v1", secret(ctx, "key", "key", map[string]string{"key": key, "password": "open sesame"}))
		Eventually(answer(expose(ctx, tagged))).WithTimeout(ready).Should(Equal("one"))
	})
})

// listenToPods listens where the cluster's Pods can reach this process: at
// the address that this machine has towards the node.
func listenToPods(ctx SpecContext) net.Listener {
	GinkgoHelper()
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type != corev1.NodeInternalIP {
			continue
		}
		// Nothing is sent: this only asks for the way there.
		way, err := net.Dial("udp", net.JoinHostPort(address.Address, "9"))
		Expect(err).NotTo(HaveOccurred())
		defer way.Close()
		listener, err := net.Listen("tcp", net.JoinHostPort(way.LocalAddr().(*net.UDPAddr).IP.String(), "0"))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		return listener
	}
	Fail("the node has no address")
	return nil
}
