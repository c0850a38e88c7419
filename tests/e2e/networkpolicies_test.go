package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// The local cluster enforces network policies only while these specs run.
var _ = Describe("Where all traffic is denied that no network policy allows, the module", Serial, Ordered, func() {
	const apiServer, name = "kubernetes.default.svc:443", "kubernetes.default.svc.cluster.local"
	var (
		namespace string
		// metrics are the addresses of the programs' metrics, registry that of the module's own registry.
		metrics  []string
		registry string
	)

	BeforeAll(func(ctx SpecContext) {
		enforceNetworkPolicies()
		denied := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: "deny-all"},
			Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}},
		}
		Expect(k8s.Create(ctx, denied)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, denied)).To(Succeed()) })
		namespace = restrictedNamespace(ctx)
	})

	It("starts and becomes ready", func(ctx SpecContext) {
		programs := []string{"serverless-operator", "serverless-ctrl-mngr", "serverless-webhook-svc", "serverless-docker-registry"}
		former := modulePods(ctx, programs...)
		for _, pod := range former {
			Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: module.Namespace, Name: pod}})).To(Succeed())
		}
		sample := serverlessResource(ctx).Spec
		DeferCleanup(func(ctx SpecContext) {
			configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { *spec = sample })
			Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		})
		configure(ctx, func(spec *operatorv1alpha1.ServerlessSpec) { spec.TargetCPUUtilizationPercentage = "60" })
		Eventually(func(g Gomega) {
			resource := serverlessResource(ctx)
			g.Expect(resource.Status.TargetCPUUtilizationPercentage).To(Equal("60"))
			g.Expect(string(resource.Status.State)).To(Equal("Ready"), "%v", resource.Status.Conditions)
			g.Expect(modulePods(ctx, programs...)).To(And(HaveLen(len(former)), Not(ContainElements(former))))
		}).WithTimeout(ready).Should(Succeed())
	})

	It("builds a Function with a package, and updates it", func(ctx SpecContext) {
		fn := nodejs(namespace, "allowed", `module.exports = { main: () => "odd: " + require("is-odd")(3) };`, `{"dependencies": {"is-odd": "3.0.1"}}`)
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url := expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("odd: true"))
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("edited") })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("edited"))
	})

	It("lets Pods read its metrics that have the label for it, and no others", func(ctx SpecContext) {
		// Not before: a change of settings rolls a program out.
		metrics = []string{
			modulePort(ctx, "serverless-operator", "http-metrics"), modulePort(ctx, "serverless-ctrl-mngr", "http-metrics"),
			modulePort(ctx, "serverless-webhook-svc", "http-metrics"), modulePort(ctx, "serverless-docker-registry", "http-metrics"),
		}
		registry = modulePort(ctx, "serverless-docker-registry", "http-registry")
		Expect(connect(ctx, namespace, nil, append(metrics, registry)...)).To(Equal(outcomes("refused", metrics, "connected", registry)))
		labelled := map[string]string{"networking.kyma-project.io/metrics-scraping": "allowed"}
		Expect(connect(ctx, namespace, labelled, metrics...)).To(Equal(outcomes("connected", metrics)))
	})

	It("lets its programs reach what their labels say, and nothing else", func(ctx SpecContext) {
		program := map[string]string{
			"app.kubernetes.io/instance": "serverless", "networking.serverless.kyma-project.io/to-apiserver": "allowed",
		}
		Expect(connect(ctx, module.Namespace, program, apiServer, name, registry)).To(Equal(
			outcomes("connected", apiServer, "connected", name, "refused", registry)))
		Expect(connect(ctx, module.Namespace, nil, apiServer, name)).To(Equal(outcomes("refused", apiServer, "refused", name)))
	})
})

// enforceNetworkPolicies has the node enforce network policies until the specs are over.
func enforceNetworkPolicies() {
	GinkgoHelper()
	program, err := exec.Command("../../build/bin/cluster", "networkpolicies").Output()
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command("build/bin/cluster", "exec", "--name", clusterName(), "--", strings.TrimSpace(string(program)))
	command.Dir = "../.."
	stdin, err := command.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	output := gbytes.NewBuffer()
	command.Stdout, command.Stderr = output, GinkgoWriter
	Expect(command.Start()).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	DeferCleanup(func() {
		Expect(stdin.Close()).To(Succeed())
		Eventually(ended).Should(Receive(BeNil()))
	})
	Eventually(output).Should(gbytes.Say("enforcing network policies"))
}

// modulePort is the address of a named port of a Deployment's only Pod.
func modulePort(ctx context.Context, deployment, port string) string {
	GinkgoHelper()
	pods := modulePods(ctx, deployment)
	Expect(pods).To(HaveLen(1))
	pod := &corev1.Pod{}
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: module.Namespace, Name: pods[0]}, pod)).To(Succeed())
	for _, offered := range pod.Spec.Containers[0].Ports {
		if offered.Name == port {
			return fmt.Sprintf("%s:%d", pod.Status.PodIP, offered.ContainerPort)
		}
	}
	Fail("no port " + port + " of " + deployment)
	return ""
}

// outcomes are what connect returns, of an outcome and its address or addresses by turns.
func outcomes(pairs ...any) map[string]string {
	found := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		switch addresses := pairs[i+1].(type) {
		case string:
			found[addresses] = pairs[i].(string)
		case []string:
			for _, address := range addresses {
				found[address] = pairs[i].(string)
			}
		}
	}
	return found
}

// connecting opens a connection to each address, or resolves a name without a
// port, and writes down what came of it. Packets that are denied are not answered.
const connecting = `
const net = require("net"), dns = require("dns"), fs = require("fs");
const attempt = (address) => new Promise((resolve) => {
  setTimeout(() => resolve("refused"), 3000);
  const [host, port] = address.split(":");
  if (!port) return dns.lookup(host, (error) => resolve(error ? "refused" : "connected"));
  const target = host === "kubernetes.default.svc" ? process.env.KUBERNETES_SERVICE_HOST : host;
  net.connect(port, target).on("connect", () => resolve("connected")).on("error", (error) => resolve(error.code));
});
const addresses = process.argv.slice(1);
Promise.all(addresses.map(attempt)).then((outcomes) => {
  fs.writeFileSync("/dev/termination-log", JSON.stringify(Object.fromEntries(addresses.map((address, i) => [address, outcomes[i]]))));
  process.exit(0);
});`

// connect runs a Pod with the labels that connects to addresses, and returns
// what came of it.
func connect(ctx context.Context, namespace string, labels map[string]string, addresses ...string) map[string]string {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "connect-", Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "connect", Image: variable(operator(ctx), "IMAGE_FUNCTION_RUNTIME_NODEJS22"),
				Command: append([]string{"node", "-e", connecting, "--"}, addresses...),
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	Expect(k8s.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, pod))).To(Succeed()) })
	Eventually(func() (corev1.PodPhase, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.Status.Phase, err
	}).Should(Equal(corev1.PodSucceeded))
	var found map[string]string
	Expect(json.Unmarshal([]byte(pod.Status.ContainerStatuses[0].State.Terminated.Message), &found)).To(Succeed())
	return found
}
