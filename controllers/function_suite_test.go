package controllers_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/health"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/metrics"
	"kyma-project.io/serverless/internal/preset"
	functionruntime "kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/workload"
)

const (
	registrySecretName = "serverless-registry-config-default"
	packagesSecretName = "serverless-package-registry-config"
	functionAccount    = "serverless-function"
	// moduleNamespace has the originals of what each namespace gets.
	moduleNamespace = "kyma-system"
	// maxJobs is how many builds may run at once.
	maxJobs = 2
	// workers is how many Functions are reconciled at once.
	workers = 8
	// nodesRegistry is the registry's address for nodes.
	nodesRegistry = "localhost:32137"
)

// All specs of Functions share one API server, one manager and one registry.
var _ = Describe("Function", Ordered, ContinueOnFailure, func() {
	world := &functionWorld{}
	BeforeAll(func(ctx SpecContext) { world.start(ctx) })

	Describe("resource", func() { functionResourceSpecs(world) })
	Describe("with a mistake in its spec", func() { functionMistakeSpecs(world) })
	Describe("resource of an older version", func() { functionRatchetingSpecs(world) })
	Describe("namespace", func() { namespaceSpecs(world) })
	Describe("lifecycle", func() { functionLifecycleSpecs(world) })
	Describe("build", func() { functionBuildSpecs(world) })
	Describe("build's credentials", func() { tokenSpecs(world) })
	Describe("images", func() { collectionSpecs(world) })
	Describe("in an external registry", func() { externalRegistrySpecs(world) })
	Describe("build's turn", func() { functionTurnSpecs(world) })
	Describe("metrics", func() { functionMetricsSpecs(world) })
	Describe("children", func() { functionChildrenSpecs(world) })
	Describe("refused", func() { functionRefusalSpecs(world) })
	Describe("revision", func() { functionRevisionSpecs(world) })
	Describe("settings", func() { functionSettingsSpecs(world) })
	Describe("drift", func() { functionDriftSpecs(world) })
	Describe("of the original implementation", func() { functionOfOriginalSpecs(world) })
	Describe("scaling", func() { functionScalingSpecs(world) })
	Describe("of the original", func() { functionUpgradeSpecs(world) })
	Describe("admission", Ordered, func() { admissionSpecs(world) })
	Describe("from Git", func() { functionGitSpecs(world) })
})

// functionWorld is a cluster in which the Function controller runs.
type functionWorld struct {
	client.Client
	config *rest.Config
	scheme *runtime.Scheme
	// registryDown makes the registry of Functions' images break off each request.
	registryDown atomic.Bool
	// registryFull leaves its volume no room.
	registryFull atomic.Bool
	registryHost string
	// passed is a time.Duration that has passed for the registry only.
	passed   atomic.Int64
	releases *httptest.Server
	// base is the runtime's image.
	base string
	// metrics and probes are the addresses where the manager answers; 0 is none.
	metrics, probes string
	// limit is the time of a reconciliation, after which it hangs; 0 is the controller's own.
	limit time.Duration
	// registerer takes the metrics; where it is nil, those of each controller are its own.
	registerer prometheus.Registerer

	// gitPush receives webhooks of Git hosts.
	gitPush http.Handler

	// forbidden has the paths that the controller may not read.
	forbidden sync.Map
	// lagging has the namespaces whose package registry Secret the cache doesn't show yet.
	lagging sync.Map

	mutex sync.Mutex
	// writes are the paths that the controllers wrote to.
	writes []string
}

// start prepares the cluster and has the controller run to the end of the specs.
func (w *functionWorld) start(ctx context.Context) {
	GinkgoHelper()
	w.prepare(ctx)
	w.registerer = ctrlmetrics.Registry
	w.metrics, w.probes = freeAddress(), freeAddress()
	w.runController(func(next http.RoundTripper) http.RoundTripper { return w.forbid(w.recordWrites(next)) })
}

// prepare starts an API server and the registries, with what the operator makes.
func (w *functionWorld) prepare(ctx context.Context) {
	GinkgoHelper()
	config, scheme := startAPIServer("serverless.kyma-project.io_functions.yaml")
	direct, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	w.Client, w.config, w.scheme = direct, config, scheme
	w.metrics, w.probes = "0", "0"
	w.startRegistries()
	w.base = w.releaseBase("nodejs22")
	w.createOriginals(ctx)
}

// runController runs one with its requests wrapped, until stop is called or the specs are over.
func (w *functionWorld) runController(wrap transport.WrapperFunc, change ...func(*ctrl.Options)) (stop func()) {
	GinkgoHelper()
	config := rest.CopyConfig(w.config)
	config.QPS = -1
	config.Wrap(wrap)
	options := ctrl.Options{
		Scheme: w.scheme, Cache: controllers.FunctionCacheOptions(registrySecretName),
		Metrics: metricsserver.Options{BindAddress: w.metrics}, HealthProbeBindAddress: w.probes,
		// Specs that kill a controller run another one after it.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	}
	for _, change := range change {
		change(&options)
	}
	mgr, err := ctrl.NewManager(config, options)
	Expect(err).NotTo(HaveOccurred())
	w.setUp(mgr)

	running, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
	DeferCleanup(stop)
	return stop
}

func (w *functionWorld) setUp(mgr ctrl.Manager) {
	GinkgoHelper()
	profiles := suiteProfiles()
	packages, err := controllers.NewPackageRegistryCache(mgr, packagesSecretName)
	Expect(err).NotTo(HaveOccurred())
	applier := &apply.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Manager: "function-controller"}
	setup := &controllers.NamespaceSetup{
		Client: mgr.GetClient(), Applier: applier, Base: moduleNamespace, Excluded: []string{moduleNamespace, "kube-system"},
		RegistrySecret: registrySecretName, ServiceAccount: functionAccount,
	}
	registerer := w.registerer
	if registerer == nil {
		registerer = prometheus.NewRegistry()
	}
	functions := &controllers.FunctionReconciler{
		Client: mgr.GetClient(), Applier: applier, Registries: &image.Registries{},
		Builder: &build.Builder{
			Client: mgr.GetClient(), Bases: &image.Bases{}, Profiles: profiles.BuildJob, MaxJobs: maxJobs,
			Metrics: metrics.NewBuilds(registerer),
			JobConfig: build.JobConfig{
				BuilderImage: "builder:1", ServiceAccount: functionAccount, RegistrySecret: registrySecretName, PackageRegistrySecret: packagesSecretName,
			},
		},
		Runtimes:              functionruntime.Catalog{"nodejs22": w.base},
		Profiles:              profiles,
		Workload:              workload.Config{ServiceAccount: functionAccount, TargetCPUUtilization: 50},
		Recorder:              mgr.GetEventRecorder("function-controller"),
		Durations:             metrics.NewFunctions(registerer),
		Loop:                  health.NewLoop(cmp.Or(w.limit, controllers.ReconciliationTimeout), time.Second),
		Git:                   git.NewPoller(),
		Secrets:               mgr.GetAPIReader(),
		PackageRegistries:     laggingReader{packages, &w.lagging},
		PackageRegistrySecret: packagesSecretName,
		Namespaces:            setup,
	}
	Expect(functions.SetupWithManager(mgr, packages, workers, time.Second)).To(Succeed())
	w.gitPush = functions.GitPushHandler()
	namespaces := &controllers.NamespaceReconciler{
		NamespaceSetup: setup,
		Loop:           health.NewLoop(controllers.ReconciliationTimeout, time.Second),
	}
	Expect(namespaces.SetupWithManager(mgr)).To(Succeed())
	Expect(mgr.AddHealthzCheck("functions", functions.Loop.Check)).To(Succeed())
	Expect(mgr.AddReadyzCheck("caches", health.Synced(mgr.GetCache(), packages))).To(Succeed())
}

const suiteProfilesText = `
function: {resources: {minRequestCPU: 10m, minRequestMemory: 16Mi, defaultPreset: XS, presets: {
  XS: {requestCPU: 50m, requestMemory: 64Mi, limitCPU: 100m, limitMemory: 128Mi}, S: {requestCPU: 100m, requestMemory: 128Mi, limitCPU: 200m, limitMemory: 256Mi}}}}
buildJob: {resources: {minRequestCPU: 200m, minRequestMemory: 200Mi, defaultPreset: slow, presets: {
  slow: {requestCPU: 200m, requestMemory: 200Mi, limitCPU: 700m, limitMemory: 700Mi}}}}
`

// suiteProfiles have the minima of the chart, for the controller and the webhook.
func suiteProfiles() preset.Config {
	GinkgoHelper()
	profiles, err := preset.Parse([]byte(suiteProfilesText))
	Expect(err).NotTo(HaveOccurred())
	return profiles
}

// createOriginals creates what the operator's chart does.
func (w *functionWorld) createOriginals(ctx context.Context) {
	GinkgoHelper()
	Expect(w.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: moduleNamespace}})).To(Succeed())
	Expect(w.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: moduleNamespace, Name: registrySecretName, Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials},
		},
		Type: corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{
			"isInternal": "true", "username": "user", "password": "secret",
			"pushRegAddr": w.registryHost, "pullRegAddr": nodesRegistry, corev1.DockerConfigJsonKey: "{}",
		},
	})).To(Succeed())
	Expect(w.Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: moduleNamespace, Name: functionAccount, Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigServiceAccount},
		},
		ImagePullSecrets:             []corev1.LocalObjectReference{{Name: registrySecretName}},
		AutomountServiceAccountToken: new(false),
	})).To(Succeed())
}
