// The function-controller turns Functions into running endpoints.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/gitpush"
	"kyma-project.io/serverless/internal/health"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/logging"
	"kyma-project.io/serverless/internal/metrics"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/workload"
)

// fieldManager is the name under which the controller applies objects.
const fieldManager = "function-controller"

// longestBackoff bounds how long a Function waits after, say, its registry has come back.
const longestBackoff = 20 * time.Second

// firstCollection is after what begins with a controller has calmed down, and
// soon enough for one that is restarted often.
const firstCollection = 5 * time.Minute

func main() {
	log := logging.New(os.Stderr)
	if err := run(log, os.Args[1:]); err != nil && !errors.Is(err, pflag.ErrHelp) {
		log.Fatal(err)
		os.Exit(1)
	}
}

func run(log *logging.Log, args []string) error {
	options, err := parseOptions(args)
	if err != nil {
		return err
	}
	if options.fips, err = fips.Mode(); err != nil {
		return err
	}
	if err := log.FollowFile(options.logConfig); err != nil {
		return err
	}
	ctrl.SetLogger(log.Logger)
	mgr, err := newManager(options)
	if err != nil {
		return err
	}
	packages, err := controllers.NewPackageRegistryCache(mgr, options.packageRegistrySecret)
	if err != nil {
		return err
	}
	if err := setupControllers(mgr, packages, options); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("caches", health.Synced(mgr.GetCache(), packages)); err != nil {
		return err
	}
	if err := mgr.Add(log); err != nil {
		return fmt.Errorf("follow log configuration: %w", err)
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func newManager(options *options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha2.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("configure access to the cluster: %w", err)
	}
	// One client serves all workers; the API server's own fairness limits it.
	config.QPS = -1
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.FunctionCacheOptions(options.registrySecret),
		Metrics:                       metricsserver.Options{BindAddress: options.metricsAddress},
		HealthProbeBindAddress:        options.probeAddress,
		LeaderElection:                options.leaderElect,
		LeaderElectionID:              module.ControllerLeaseName,
		LeaderElectionNamespace:       options.baseNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up manager: %w", err)
	}
	return mgr, nil
}

func setupControllers(mgr manager.Manager, packages cache.Cache, options *options) error {
	applier := &apply.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Manager: fieldManager}
	setup := &controllers.NamespaceSetup{
		Client: mgr.GetClient(), Applier: applier, Base: options.baseNamespace, Excluded: options.excludedNamespaces,
		RegistrySecret: options.registrySecret, ServiceAccount: options.serviceAccount,
	}
	functions := &controllers.FunctionReconciler{
		Client:     mgr.GetClient(),
		Applier:    applier,
		Registries: &image.Registries{},
		Builder: &build.Builder{
			Client: mgr.GetClient(), Bases: &image.Bases{Foreign: options.isForeign}, Profiles: options.profiles.BuildJob, MaxJobs: options.maxBuilds,
			Metrics: metrics.NewBuilds(ctrlmetrics.Registry), CopyImages: options.copyBuildImages,
			JobConfig: build.JobConfig{
				BuilderImage: options.builderImage, ServiceAccount: options.serviceAccount,
				RegistrySecret: options.registrySecret, PackageRegistrySecret: options.packageRegistrySecret,
				FIPS: options.fips,
			},
		},
		Runtimes: options.runtimes,
		Profiles: options.profiles,
		FIPS:     options.fips,
		Workload: workload.Config{
			ServiceAccount:         options.serviceAccount,
			TraceCollectorEndpoint: options.traceCollectorEndpoint,
			PublisherProxyAddress:  options.publisherProxyAddress,
			TargetCPUUtilization:   options.targetCPU,
		},
		Recorder:              mgr.GetEventRecorder(fieldManager),
		Durations:             metrics.NewFunctions(ctrlmetrics.Registry),
		Loop:                  health.NewLoop(controllers.ReconciliationTimeout, options.livenessTimeout),
		Git:                   git.NewPoller(),
		Secrets:               mgr.GetAPIReader(),
		PackageRegistries:     packages,
		PackageRegistrySecret: options.packageRegistrySecret,
		Namespaces:            setup,
	}
	if err := functions.SetupWithManager(mgr, packages, options.workers, longestBackoff); err != nil {
		return fmt.Errorf("set up function controller: %w", err)
	}
	namespaces := &controllers.NamespaceReconciler{
		NamespaceSetup: setup,
		Loop:           health.NewLoop(controllers.ReconciliationTimeout, options.livenessTimeout),
	}
	if err := namespaces.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up namespace controller: %w", err)
	}
	collection := &controllers.Collection{
		Live: mgr.GetAPIReader(), Registries: functions.Registries, Base: options.baseNamespace, RegistrySecret: options.registrySecret,
		Delay: firstCollection, Interval: options.collectionInterval,
	}
	if err := mgr.Add(collection); err != nil {
		return fmt.Errorf("set up collection of images: %w", err)
	}
	if err := mgr.Add(&gitpush.Server{Address: options.gitPushAddress, Handler: functions.GitPushHandler()}); err != nil {
		return fmt.Errorf("set up receiver of Git hosts' webhooks: %w", err)
	}
	return errors.Join(mgr.AddHealthzCheck("functions", functions.Loop.Check), mgr.AddHealthzCheck("namespaces", namespaces.Loop.Check))
}
