package controllers_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chartutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/certificate"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
	functionruntime "kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/webhook"
)

// admission is the webhook beside a Function controller.
type admission struct {
	*functionWorld
	address string
	stop    func()
}

// installAdmission creates what the chart has for the webhook. The API server
// of the specs reaches no Service, so the configurations name an address.
func installAdmission(ctx context.Context, world *functionWorld) *admission {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "localhost:0")
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	Expect(listener.Close()).To(Succeed())
	a := &admission{functionWorld: world, address: "localhost:" + port}

	parts, err := chart.Load(charts.Serverless, "serverless")
	Expect(err).NotTo(HaveOccurred())
	configuration := module.Configuration{Presets: module.Presets{BuildJob: "slow", RuntimePod: "XS"}}
	images := module.Images{FunctionController: "c", FunctionBuilder: "b", FunctionRegistry: "r", FunctionWebhook: "w", Runtimes: map[string]string{"nodejs22": "n"}}
	objects, err := parts.Render(chart.Release{Name: module.Release, Namespace: moduleNamespace}, configuration.Values(images), chartutil.DefaultCapabilities)
	Expect(err).NotTo(HaveOccurred())
	for _, object := range objects {
		if object.GetLabels()["app.kubernetes.io/component"] != "webhook" || object.GetKind() == "Deployment" {
			continue
		}
		if strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			a.redirect(object)
		}
		Expect(world.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(world.Delete(ctx, object))).To(Succeed()) })
	}
	return a
}

func (a *admission) redirect(configuration *unstructured.Unstructured) {
	GinkgoHelper()
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	Expect(err).NotTo(HaveOccurred())
	for _, entry := range webhooks {
		fields := entry.(map[string]any)
		path, _, err := unstructured.NestedString(fields, "clientConfig", "service", "path")
		Expect(err).NotTo(HaveOccurred())
		fields["clientConfig"] = map[string]any{"url": "https://" + a.address + path}
	}
	Expect(unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")).To(Succeed())
}

// start runs the webhook, with the permissions of its service account and no
// others, until it is stopped.
func (a *admission) start(authorityLifetime, serverLifetime time.Duration) {
	GinkgoHelper()
	restricted := rest.CopyConfig(a.config)
	restricted.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + moduleNamespace + ":serverless-webhook", Groups: []string{"system:authenticated"},
	}
	certificates := &webhook.CertificateReconciler{
		Secret: client.ObjectKey{Namespace: moduleNamespace, Name: "serverless-webhook"},
		Issuer: certificate.Issuer{Names: []string{"localhost"}, AuthorityLifetime: authorityLifetime, ServerLifetime: serverLifetime},
	}
	var port int
	_, err := fmt.Sscanf(a.address, "localhost:%d", &port)
	Expect(err).NotTo(HaveOccurred())
	mgr, err := ctrl.NewManager(restricted, webhook.Configure(ctrl.Options{
		Scheme: a.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		// Specs start it more than once in their process.
		Controller: config.Controller{SkipNameValidation: new(true)},
	}, port, certificates))
	Expect(err).NotTo(HaveOccurred())
	Expect(webhook.SetupWithManager(mgr, admissionRules(), certificates)).To(Succeed())

	running, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
	DeferCleanup(a.stop)
	a.answers()
}

// answers waits until the API server asks the webhook.
func (a *admission) answers() {
	GinkgoHelper()
	Eventually(func() error { return a.Create(context.Background(), badDependencies("default"), client.DryRunAll) }).
		Should(MatchError(ContainSubstring("denied the request")))
}

// authorities are those that the API server was told to trust, by configuration.
func (a *admission) authorities(ctx context.Context) [][]byte {
	GinkgoHelper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	Expect(a.Get(ctx, client.ObjectKey{Name: webhook.DefaultingConfigurationName}, mutating)).To(Succeed())
	Expect(a.Get(ctx, client.ObjectKey{Name: webhook.ValidationConfigurationName}, validating)).To(Succeed())
	return [][]byte{mutating.Webhooks[0].ClientConfig.CABundle, validating.Webhooks[0].ClientConfig.CABundle}
}

func admissionRules() webhook.Rules {
	GinkgoHelper()
	return webhook.Rules{Profiles: suiteProfiles(), Runtimes: functionruntime.Catalog{"nodejs20": "n20", "nodejs22": "n22"}}
}

// warned is a client that remembers what it was warned of.
type warned struct {
	client.Client
	warnings []string
}

// HandleWarningHeader is called for each warning in an answer.
func (w *warned) HandleWarningHeader(_ int, _, text string) { w.warnings = append(w.warnings, text) }

func (a *admission) client() *warned {
	GinkgoHelper()
	w := &warned{}
	listening := rest.CopyConfig(a.config)
	listening.WarningHandler = w
	var err error
	w.Client, err = client.New(listening, client.Options{Scheme: a.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return w
}

const badDependenciesMessage = "invalid source.inline.dependencies value: deps should start with '{' and end with '}'"

// badDependencies is a Function that breaks a rule which the CRD can't express.
func badDependencies(namespace string) *v1alpha2.Function {
	fn := function(namespace, "")
	fn.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, GenerateName: "bad-"}
	fn.Spec.Source.Inline.Dependencies = "lodash"
	return fn
}
