package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/ociregistry"
)

// Serial: others' builds and images are disturbed, too.
var _ = Describe("A build", Serial, func() {
	DescribeTable("is finished, and its image is whole, although there is killed in the middle",
		func(ctx SpecContext, kill func(ctx context.Context, namespace string)) {
			namespace := restrictedNamespace(ctx)
			// Dependencies that no other build has.
			manifest := fmt.Sprintf(`{"dependencies": {"lodash": "4.17.21"}, "engines": {"node": "<%d"}}`, 1000+GinkgoRandomSeed()%1000)
			fn := nodejs(namespace, "disturbed", firstSource, manifest)
			Expect(k8s.Create(ctx, fn)).To(Succeed())
			Eventually(buildPods(ctx, namespace)).WithTimeout(ready).Should(ContainElement(HaveField("Status.InitContainerStatuses",
				ContainElement(HaveField("State.Running", Not(BeNil()))))))
			kill(ctx, namespace)
			Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
			Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("FIRST ANSWER"))
			isWhole(ctx, image(ctx, fn))
		},
		Entry("its Pod", func(ctx context.Context, namespace string) {
			Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.HasLabels{batchv1.JobNameLabel},
				client.GracePeriodSeconds(0))).To(Succeed())
		}),
		Entry("the registry, while it pushes", func(ctx context.Context, namespace string) {
			Eventually(buildPods(ctx, namespace)).WithTimeout(ready).Should(ContainElement(HaveField("Status.ContainerStatuses",
				ContainElement(HaveField("State.Waiting", BeNil())))))
			Expect(k8s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(module.Namespace),
				client.MatchingLabels{"kyma-project.io/component": "registry"}, client.GracePeriodSeconds(0))).To(Succeed())
		}),
		Entry("the node's container runtime", func(ctx context.Context, _ string) {
			run(ctx, "build/bin/cluster", "restart", "containerd", "--name", clusterName())
		}),
	)
})

var _ = It("says that a build took more memory than it may, and takes another manifest", func(ctx SpecContext) {
	const greedy = `{"scripts": {"preinstall": "node -e 'const held = []; for (;;) held.push(Buffer.alloc(1 << 24, 1))'"}}`
	fn := nodejs(restrictedNamespace(ctx), "greedy", answering("built"), greedy)
	Expect(k8s.Create(ctx, fn)).To(Succeed())
	Eventually(condition(ctx, fn, v1alpha2.ConditionBuildReady)).WithTimeout(ready).Should(haveReason(corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
		HaveSuffix("it will be re-run: install ran out of memory; choose a larger profile in spec.resourceConfiguration.build")))
	edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Dependencies = "" })
	Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("built"))
})

// Serial: all Functions of the cluster move.
var _ = It("moves Functions to an external registry and back without a failed request", Serial, func(ctx SpecContext) {
	sample := serverlessResource(ctx).Spec
	DeferCleanup(func(ctx SpecContext) {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { *spec = sample })
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
	})
	external := startExternalRegistry(ctx)
	namespace := restrictedNamespace(ctx)
	functions := []*v1alpha2.Function{nodejs(namespace, "plain", answering("here"), ""), nodejs(namespace, "packed", firstSource, lodash)}
	var callers []*caller
	for _, fn := range functions {
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal(map[string]string{"plain": "here", "packed": "FIRST ANSWER"}[fn.Name]))
		calls := callThroughout(url)
		DeferCleanup(func() { calls.stop() })
		callers = append(callers, calls)
	}
	for _, to := range []struct {
		registry operatorv1alpha1.DockerRegistry
		prefix   string
	}{
		{operatorv1alpha1.DockerRegistry{EnableInternal: new(false), SecretName: new(external.secret)}, external.Host + "/team/"},
		{*sample.DockerRegistry, "localhost:"},
	} {
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.DockerRegistry = &to.registry })
		for _, fn := range functions {
			Eventually(func() string { return image(ctx, fn) }).WithTimeout(ready).Should(HavePrefix(to.prefix))
			Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(
				haveReason(corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady, Not(BeEmpty())))
		}
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
	}
	for _, calls := range callers {
		number, failures := calls.seen()
		Expect(number).To(BeNumerically(">", 10))
		Expect(failures).To(BeEmpty())
	}
})

// externalRegistry is one that the cluster's Pods and nodes reach and trust.
type externalRegistry struct {
	*ociregistry.Registry
	// secret names the Secret that describes it.
	secret string
}

func startExternalRegistry(ctx context.Context) externalRegistry {
	GinkgoHelper()
	// The host's end of the node's link.
	node := strings.Split(nodeAddress(ctx), ".")
	node[3] = "1"
	started, err := ociregistry.Start(GinkgoT().TempDir(), strings.Join(node, "."), ociregistry.Token)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(started.Close)

	// docs/user/external-registry.md: nodes pull, too.
	trust := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "etc/certs.d", started.Host)
	Expect(os.MkdirAll(trust, 0o755)).To(Succeed())
	DeferCleanup(os.RemoveAll, trust)
	authority := filepath.Join(trust, "ca.crt")
	Expect(os.WriteFile(authority, []byte(started.Authority), 0o644)).To(Succeed())
	hosts := fmt.Sprintf("server = \"https://%s\"\n[host.\"https://%s\"]\n  ca = %q\n", started.Host, started.Host, authority)
	Expect(os.WriteFile(filepath.Join(trust, "hosts.toml"), []byte(hosts), 0o644)).To(Succeed())

	secret := &corev1.Secret{StringData: map[string]string{
		"username": ociregistry.Username, "password": ociregistry.Password,
		"serverAddress": "https://" + started.Host, "registryAddress": started.Host + "/team", "ca.crt": started.Authority,
	}}
	secret.Namespace, secret.GenerateName = module.Namespace, "external-"
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, secret)).To(Succeed()) })
	return externalRegistry{started, secret.Name}
}

func nodeAddress(ctx context.Context) string {
	GinkgoHelper()
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	Fail("the node has no address")
	return ""
}

func buildPods(ctx context.Context, namespace string) func() ([]corev1.Pod, error) {
	return func() ([]corev1.Pod, error) {
		var list corev1.PodList
		err := k8s.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{batchv1.JobNameLabel})
		return list.Items, err
	}
}

// isWhole pulls all of an image from the module's own registry, and compares
// it with its digests.
func isWhole(ctx context.Context, reference string) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: module.Namespace, Name: "serverless-registry-config-default"}, secret)).To(Succeed())
	parsed, err := name.ParseReference(reference)
	Expect(err).NotTo(HaveOccurred())
	pulled, err := remote.Image(parsed, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{
		Username: string(secret.Data["username"]), Password: string(secret.Data["password"]),
	}))
	Expect(err).NotTo(HaveOccurred())
	Expect(validate.Image(pulled)).To(Succeed())
}
