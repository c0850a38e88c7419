package controllers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
)

const year = 365 * 24 * time.Hour

// admissionSpecs are about Functions that a webhook looks at before they are stored.
func admissionSpecs(w *functionWorld) {
	var a *admission
	BeforeAll(func(ctx SpecContext) {
		a = installAdmission(ctx, w)
		a.start(year, year/4)
	})

	DescribeTable("is refused at once",
		func(ctx SpecContext, change func(*v1alpha2.Function), messages ...string) {
			fn := function("default", "refused")
			change(fn)
			err := a.Create(ctx, fn)
			Expect(err).To(MatchError(`admission webhook "validation.webhook.serverless.kyma-project.io" denied the request: ` + strings.Join(messages, ". ")))
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "trying again is of no use")
		}, mistakes())

	DescribeTable("is accepted with a warning",
		func(ctx SpecContext, change func(*v1alpha2.FunctionSpec), warning string) {
			fn := function("default", "warned")
			change(&fn.Spec)
			listener := a.client()
			Expect(listener.Create(ctx, fn, client.DryRunAll)).To(Succeed())
			Expect(listener.warnings).To(ConsistOf(warning))
		},
		Entry("of a deprecated runtime", func(s *v1alpha2.FunctionSpec) { s.Runtime = "nodejs20" },
			"spec.runtime: nodejs20 is deprecated and gets no security fixes; set spec.runtime to nodejs22"),
		Entry("of a runtime that is not offered", func(s *v1alpha2.FunctionSpec) { s.Runtime = "nodejs16" },
			"spec.runtime: cannot find runtime: nodejs16 is not offered by this installation; set spec.runtime to nodejs22"),
		Entry("of memory that is not enough", func(s *v1alpha2.FunctionSpec) { s.ResourceConfiguration = limits("100m", "32Mi") },
			"spec.resourceConfiguration.function: limits memory(32Mi) is less than the 48Mi that nodejs22 needs; raise the limit"),
		Entry("of a Secret that does not exist yet", func(s *v1alpha2.FunctionSpec) {
			s.SecretMounts = []v1alpha2.SecretMount{{SecretName: "later", MountPath: "/a"}}
		}, `spec.secretMounts[0].secretName: Secret "later" does not exist yet in this namespace; new Pods can't start until it is created`),
		Entry("of a Secret that a variable needs", func(s *v1alpha2.FunctionSpec) {
			s.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "later"}, Key: "k",
			}}}}
		}, `spec.env[0].valueFrom.secretKeyRef: Secret "later" does not exist yet in this namespace; new Pods can't start until it is created with the key "k"`),
	)

	It("is accepted without a warning once its Secret is there", func(ctx SpecContext) {
		namespace := a.newNamespace(ctx)
		Expect(a.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "there"}})).To(Succeed())
		fn := function(namespace, "fine")
		fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "there", MountPath: "/a"}}
		listener := a.client()
		Expect(listener.Create(ctx, fn, client.DryRunAll)).To(Succeed())
		Expect(listener.warnings).To(BeEmpty())
	})

	It("gets the profile that its label names, and follows it", func(ctx SpecContext) {
		fn := function(a.newNamespace(ctx), "labelled")
		fn.Labels = map[string]string{preset.FunctionLabel: "XS"}
		listener := a.client()
		Expect(listener.Create(ctx, fn)).To(Succeed())
		Expect(fn.Spec.ResourceConfiguration).To(Equal(profile("XS")))
		Expect(listener.warnings).To(ConsistOf(
			"label serverless.kyma-project.io/function-resources-preset is deprecated: set spec.resourceConfiguration.function.profile to XS"))
		a.change(ctx, fn, func() { fn.Labels[preset.FunctionLabel] = "S" })
		Expect(fn.Spec.ResourceConfiguration).To(Equal(profile("S")))
	})

	It("is created all the same while the webhook is down, and says the same; what was wrong before can be edited and removed", func(ctx SpecContext) {
		fn := badDependencies(a.newNamespace(ctx))
		Expect(a.Create(ctx, fn.DeepCopy())).To(MatchError(HaveSuffix("denied the request: " + badDependenciesMessage)))
		a.stop()
		Expect(a.Create(ctx, fn)).To(Succeed())
		a.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec, Equal(badDependenciesMessage))
		a.change(ctx, fn, func() { fn.Spec.Env = []corev1.EnvVar{{Name: "CHANGED", Value: "while down"}} })

		By("being up again")
		a.start(year, year/4)
		a.change(ctx, fn, func() { fn.Annotations = map[string]string{"touched": "yes"} })
		listener := a.client()
		fn.Spec.Env[0].Value = "while up"
		Expect(listener.Update(ctx, fn, client.DryRunAll)).To(Succeed())
		Expect(listener.warnings).To(ConsistOf(badDependenciesMessage), "what is still wrong")
		fn.Spec.Env[0].Name = "1a"
		Expect(a.Update(ctx, fn)).To(MatchError(ContainSubstring("spec.env: 1a.")), "one more mistake")

		a.change(ctx, fn, func() { fn.Finalizers = []string{"spec.test/hold"} })
		Expect(a.Delete(ctx, fn)).To(Succeed())
		a.change(ctx, fn, func() { fn.Finalizers = nil })
	})

	It("is refused throughout the renewals of the webhook's certificates, which need no restart", func(ctx SpecContext) {
		a.stop()
		// What is left was made for a year; the operator brings an emptied Secret back.
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: moduleNamespace, Name: "serverless-webhook"}}
		Expect(a.Patch(ctx, secret, client.RawPatch("application/merge-patch+json", []byte(`{"data": null}`)))).To(Succeed())
		a.start(18*time.Second, 6*time.Second)

		servers, authorities := map[string]bool{}, map[string]bool{}
		Eventually(func(g Gomega) {
			Expect(a.Create(ctx, badDependencies("default"), client.DryRunAll)).To(MatchError(ContainSubstring(badDependenciesMessage)))
			for _, trusted := range a.authorities(ctx) {
				authorities[string(trusted)] = true
				servers[a.serial(ctx, trusted)] = true
			}
			g.Expect(len(servers)).To(BeNumerically(">=", 5))
			g.Expect(len(authorities)).To(BeNumerically(">=", 3))
		}).WithTimeout(time.Minute).Should(Succeed())
	})
}

// serial connects as a client that trusts the authorities, and returns the
// serial number of the certificate that it meets.
func (a *admission) serial(ctx context.Context, authorities []byte) string {
	GinkgoHelper()
	pool := x509.NewCertPool()
	Expect(pool.AppendCertsFromPEM(authorities)).To(BeTrue())
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: pool}}
	connection, err := dialer.DialContext(ctx, "tcp", a.address)
	Expect(err).NotTo(HaveOccurred())
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func profile(name string) *v1alpha2.ResourceConfiguration {
	return &v1alpha2.ResourceConfiguration{Function: &v1alpha2.ResourceRequirements{Profile: name}}
}
