package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
	"kyma-project.io/serverless/tests/gitserver"
	"kyma-project.io/serverless/tests/npmregistry"
)

var _ = Describe("A Function with packages of a private registry", Ordered, func() {
	const greets = `module.exports = { main: () => require('@shop/greeting') + ' ' + require('@shop/greeting/package.json').version };`
	var (
		fn         *v1alpha2.Function
		url, host  string
		lock       string
		registry   *npmregistry.Registry
		repository *gitserver.Repository
	)

	BeforeAll(func(ctx SpecContext) {
		namespace := restrictedNamespace(ctx)
		var err error
		registry, err = npmregistry.Start(ctx, GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(registry.Close)
		integrity, err := registry.Publish(ctx, `{"name": "@shop/greeting", "version": "1.0.0"}`, map[string]string{"index.js": "module.exports = 'hello';"})
		Expect(err).NotTo(HaveOccurred())
		_, err = registry.Publish(ctx, `{"name": "@shop/greeting", "version": "1.1.0"}`, map[string]string{"index.js": "module.exports = 'hello';"})
		Expect(err).NotTo(HaveOccurred())
		overTLS := listenToPods(ctx)
		host = overTLS.Addr().String()
		authority, err := registry.ServeTLS(overTLS)
		Expect(err).NotTo(HaveOccurred())

		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: endpoint.PackageRegistrySecret}, secret)).To(Succeed())
		secret.Data = map[string][]byte{
			".npmrc": fmt.Appendf(nil, "@shop:registry=https://%s/\n//%s/:_authToken=%s\n", host, host, registry.Token),
			"ca.crt": authority,
		}
		Expect(k8s.Update(ctx, secret)).To(Succeed())

		root := GinkgoT().TempDir()
		repository, err = gitserver.Create(root, "shop.git")
		Expect(err).NotTo(HaveOccurred())
		handler, err := gitserver.HTTP(root, "", "")
		Expect(err).NotTo(HaveOccurred())
		overHTTP := listenToPods(ctx)
		go func() { _ = http.Serve(overHTTP, handler) }()
		lock = fmt.Sprintf(`{"lockfileVersion": 3, "requires": true, "packages": {"": {"dependencies": {"@shop/greeting": "^1.0.0"}},
			"node_modules/@shop/greeting": {"version": "1.0.0", "resolved": "https://%s/@shop/greeting/-/greeting-1.0.0.tgz", "integrity": %q}}}`, host, integrity)
		commit(repository, greets, lock)

		fn = nodejs(namespace, "greet", "", "")
		fn.Annotations = map[string]string{v1alpha2.AnnotationContinuousGitCheckout: "true"}
		fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
			URL: "http://" + overHTTP.Addr().String() + "/shop.git", Repository: v1alpha2.Repository{BaseDir: "/", Reference: "main"},
		}}
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
	})

	It("answers with the versions of its lock file, from a registry with users and a certificate of its own authority", func(ctx SpecContext) {
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("hello 1.0.0"))
	})

	It("has no secret of the registry in its image", func(ctx SpecContext) {
		found := imageOf(ctx, fn)
		Expect(found).To(ContainSubstring("node_modules/@shop/greeting/package.json"))
		Expect(found).NotTo(ContainSubstring(registry.Token))
	})

	It("says in npm's words that its lock file disagrees with its package.json, and serves on", func(ctx SpecContext) {
		commit(repository, greets, strings.ReplaceAll(lock, "@shop/greeting", "@shop/other"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
			And(ContainSubstring("package.json and package-lock.json are in sync"), ContainSubstring("Missing: @shop/greeting@1.1.0 from lock file"))))
		Expect(answer(url)()).To(Equal("hello 1.0.0"))
	})
})

// commit has the Function's files on the main branch.
func commit(repository *gitserver.Repository, source, lock string) {
	GinkgoHelper()
	_, err := repository.Commit("main", gitserver.Files(map[string]string{
		"handler.js": source, "package.json": `{"dependencies": {"@shop/greeting": "^1.0.0"}}`, "package-lock.json": lock,
	}))
	Expect(err).NotTo(HaveOccurred())
}

// imageOf is all that is in the Function's own layers, uncompressed, and in its configuration.
func imageOf(ctx context.Context, fn *v1alpha2.Function) string {
	GinkgoHelper()
	var pods corev1.PodList
	Expect(k8s.List(ctx, &pods, client.InNamespace(fn.Namespace), client.MatchingLabels{
		v1alpha2.LabelFunctionName: fn.Name, v1alpha2.LabelResource: v1alpha2.ResourceDeployment,
	})).To(Succeed())
	Expect(pods.Items).NotTo(BeEmpty())
	var credentials corev1.Secret
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "kyma-system", Name: "serverless-registry-config-default"}, &credentials)).To(Succeed())
	reference, err := name.ParseReference(pods.Items[0].Spec.Containers[0].Image, name.Insecure)
	Expect(err).NotTo(HaveOccurred())
	image, err := remote.Image(reference, remote.WithContext(ctx),
		remote.WithAuth(&authn.Basic{Username: string(credentials.Data["username"]), Password: string(credentials.Data["password"])}))
	Expect(err).NotTo(HaveOccurred())
	var all bytes.Buffer
	config, err := image.RawConfigFile()
	Expect(err).NotTo(HaveOccurred())
	all.Write(config)
	layers, err := image.Layers()
	Expect(err).NotTo(HaveOccurred())
	// Of the base image there is no need to look at.
	for _, layer := range layers[len(layers)-2:] {
		content, err := layer.Uncompressed()
		Expect(err).NotTo(HaveOccurred())
		_, err = io.Copy(&all, content)
		Expect(err).NotTo(HaveOccurred())
		Expect(content.Close()).To(Succeed())
	}
	return all.String()
}
