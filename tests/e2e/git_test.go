package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

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

	It("answers with the code of a commit within seconds after the host's webhook, though it is looked for every five minutes", func(ctx SpecContext) {
		// A remote of its own: nobody else has it asked.
		address := strings.Replace(httpURL, "://", "://ann:s3cret@", 1)
		pushed := nodejs(namespace, "pushed", "", "")
		pushed.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
			URL: address, Repository: v1alpha2.Repository{BaseDir: "/functions/greet", Reference: "pushed"},
		}}
		commit("pushed", "before")
		Expect(k8s.Create(ctx, pushed)).To(Succeed())
		ask := answer(expose(ctx, pushed))
		Eventually(ask).WithTimeout(ready).Should(Equal("before"))
		const key = "the secret of the namespace"
		secret(ctx, "serverless-git-push", "", map[string]string{"secret": key})
		receiver := exposeGitPush(ctx) + "/git-push/" + namespace

		commit("pushed", "after")
		Expect(postPush(ctx, receiver, "a secret that's wrong", httpURL)).To(Equal(http.StatusUnauthorized))
		Expect(postPush(ctx, receiver, key, httpURL)).To(Equal(http.StatusAccepted))
		Eventually(ask).WithTimeout(time.Minute).Should(Equal("after"))
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

// exposeGitPush has the receiver of webhooks answer on this machine, and returns its URL.
func exposeGitPush(ctx SpecContext) string {
	GinkgoHelper()
	var original corev1.Service
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kyma-system", Name: "serverless-git-push"}, &original)).To(Succeed())
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: original.Namespace, GenerateName: "git-push-"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: original.Spec.Selector, Ports: []corev1.ServicePort{
			{Port: original.Spec.Ports[0].Port, TargetPort: original.Spec.Ports[0].TargetPort},
		}},
	}
	Expect(k8s.Create(ctx, service)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, service)).To(Succeed()) })
	return fmt.Sprintf("http://127.0.0.1:%d", service.Spec.Ports[0].NodePort)
}

// postPush tells of a push as GitHub does, and returns the answer's status.
func postPush(ctx context.Context, receiver, secret, address string) int {
	GinkgoHelper()
	body := fmt.Sprintf(`{"ref": "refs/heads/pushed", "repository": {"clone_url": %q}}`, address)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	var status int
	// The node port needs a moment.
	Eventually(func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, receiver, strings.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		status = response.StatusCode
		return response.Body.Close()
	}).Should(Succeed())
	return status
}

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
