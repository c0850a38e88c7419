package e2e

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const noObject = "invalid source.inline.dependencies value: deps should start with '{' and end with '}'"

var _ = Describe("A Function that somebody wrote wrong", func() {
	var namespace string
	BeforeEach(func(ctx SpecContext) { namespace = restrictedNamespace(ctx) })

	It("is refused at once, with all that is wrong", func(ctx SpecContext) {
		fn := nodejs(namespace, "wrong", answering("never"), "lodash")
		fn.Spec.Env = []corev1.EnvVar{{Name: "1a"}}
		Expect(k8s.Create(ctx, fn)).To(MatchError(And(
			HavePrefix(`admission webhook "validation.webhook.serverless.kyma-project.io" denied the request: spec.env: 1a. Err: `),
			HaveSuffix(". "+noObject))))
	})

	It("is accepted with warnings of what won't work, or not for long", func(ctx SpecContext) {
		fn := nodejs(namespace, "doubtful", answering("soon"), "")
		fn.Spec.Runtime = "nodejs20"
		fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "later", MountPath: "/run/later"}}
		listener, warnings := listening()
		Expect(listener.Create(ctx, fn)).To(Succeed())
		Expect(*warnings).To(ConsistOf(
			"spec.runtime: nodejs20 is deprecated and gets no security fixes; set spec.runtime to nodejs22",
			`spec.secretMounts[0].secretName: Secret "later" does not exist yet in this namespace; new Pods can't start until it is created`))

		By("creating what it waits for")
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "later"}})).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("soon"))
	})

	// Serial: all Functions of the cluster are without the webhook meanwhile.
	It("is accepted while the webhook is down, and its condition says the same", Serial, func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) {
			scale(ctx, "serverless-webhook-svc", 1)
			scale(ctx, "serverless-operator", 1)
		})
		// The operator would start the webhook again.
		scale(ctx, "serverless-operator", 0)
		scale(ctx, "serverless-webhook-svc", 0)
		fn := nodejs(namespace, "wrong", answering("never"), "lodash")
		Eventually(func() error { return k8s.Create(ctx, fn) }).Should(Succeed())
		Eventually(condition(ctx, fn, v1alpha2.ConditionConfigurationReady)).
			Should(haveReason(corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec, Equal(noObject)))

		scale(ctx, "serverless-webhook-svc", 1)
		Eventually(func() error {
			return k8s.Create(ctx, nodejs(namespace, "again", answering("never"), "lodash"), client.DryRunAll)
		}).
			Should(MatchError(HaveSuffix(noObject)))
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Dependencies = "" })
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("never"))
	})
})

// warnings are what a client was warned of.
type warnings []string

// HandleWarningHeader is called for each warning in an answer.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

// listening is a client that remembers what it was warned of.
func listening() (client.Client, *warnings) {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	heard := &warnings{}
	config.WarningHandler = heard
	listener, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return listener, heard
}
