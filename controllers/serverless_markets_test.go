package controllers_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// What a restricted market asks for comes in the environment, and what it
// forbids depends on how the program was compiled: so here it runs as a
// process of its own, compiled as for its image.
var _ = Describe("Serverless in a restricted market", Ordered, func() {
	digest := "@sha256:" + strings.Repeat("a", 64)
	var (
		world   *operatorWorld
		program string
		market  []string
	)

	BeforeAll(func(ctx SpecContext) {
		world = newOperatorWorld()
		program = compiledForFIPS(ctx, "operator")
		market = []string{
			"KUBECONFIG=" + kubeconfig(world.config), "GODEBUG=fips140=only,tlsmlkem=0", "KYMA_FIPS_MODE_ENABLED=true", "SKR_IMG_PULL_SECRET=market",
			"IMAGE_FUNCTION_CONTROLLER=market.test/function-controller:1" + digest, "IMAGE_FUNCTION_BUILDER=market.test/function-builder" + digest,
			"IMAGE_FUNCTION_REGISTRY=market.test/function-registry:1", "IMAGE_FUNCTION_WEBHOOK=market.test/function-webhook:1",
			"IMAGE_FUNCTION_RUNTIME_NODEJS22=market.test/nodejs22:1", "IMAGE_FUNCTION_RUNTIME_NODEJS22_FIPS=market.test/nodejs22-fips:1" + digest,
		}
	})

	It("is not run if Go doesn't enforce FIPS mode", func(ctx SpecContext) {
		command := exec.CommandContext(ctx, program)
		command.Env = append(market, "GODEBUG=fips140=on")
		output, err := command.CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(output)).To(ContainSubstring("FIPS 140 exclusive mode is not enabled. Check GODEBUG flags."))
	})

	It("is not run with an image reference that is none", func(ctx SpecContext) {
		command := exec.CommandContext(ctx, program)
		command.Env = append(market, "IMAGE_FUNCTION_WEBHOOK=market.test/function-webhook")
		output, err := command.CombinedOutput()
		Expect(err).To(HaveOccurred())
		Expect(string(output)).To(ContainSubstring(`IMAGE_FUNCTION_WEBHOOK: \"market.test/function-webhook\" names neither a tag nor a digest`))
	})

	It("is installed in FIPS mode, by digests, and pulled with the market's Secret", func(ctx SpecContext) {
		startProgram(program, market, "--metrics-bind-address=0", "--health-probe-bind-address=0")
		object := serverless(kymaSystem, "default", internalRegistry())
		world.install(ctx, object, v1alpha1.StateReady)

		var list appsv1.DeploymentList
		Expect(world.List(ctx, &list, client.InNamespace(kymaSystem))).To(Succeed())
		Expect(list.Items).To(HaveLen(3))
		for _, deployment := range list.Items {
			pod := deployment.Spec.Template.Spec
			Expect(pod.ImagePullSecrets).To(ConsistOf(corev1.LocalObjectReference{Name: "market"}), deployment.Name)
			Expect(pod.Containers[0].Env).To(ContainElements(
				corev1.EnvVar{Name: "KYMA_FIPS_MODE_ENABLED", Value: "true"}, corev1.EnvVar{Name: "GODEBUG", Value: "fips140=only,tlsmlkem=0"}), deployment.Name)
		}
		controller := &appsv1.Deployment{}
		Expect(world.Get(ctx, client.ObjectKey{Namespace: kymaSystem, Name: "serverless-ctrl-mngr"}, controller)).To(Succeed())
		container := controller.Spec.Template.Spec.Containers[0]
		Expect(container.Image).To(Equal("market.test/function-controller:1" + digest))
		Expect(container.Args).To(ContainElements("--runtime-image=nodejs22=market.test/nodejs22-fips:1"+digest, "--copy-build-images"))
		Expect(container.Env).To(ContainElement(corev1.EnvVar{Name: "APP_FUNCTION_BUILDER_IMAGE", Value: "market.test/function-builder" + digest}))
		world.removeAll(ctx)
	})
})

// compiledForFIPS compiles a program as for its image.
func compiledForFIPS(ctx context.Context, name string) string {
	GinkgoHelper()
	program := filepath.Join(GinkgoT().TempDir(), name)
	compile := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "../cmd/"+name)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0")
	output, err := compile.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
	return program
}

// startProgram has it run until the specs are over.
func startProgram(program string, environment []string, args ...string) {
	GinkgoHelper()
	command := exec.Command(program, args...)
	command.Env, command.Stdout, command.Stderr = environment, GinkgoWriter, GinkgoWriter
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(command.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(command.Wait()).To(Succeed())
	})
}

// kubeconfig writes a file for a process of its own.
func kubeconfig(config *rest.Config) string {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "test",
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test", Namespace: kymaSystem}},
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"test": {
			ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
			Impersonate: config.Impersonate.UserName, ImpersonateGroups: config.Impersonate.Groups,
		}},
	}, file)).To(Succeed())
	return file
}
