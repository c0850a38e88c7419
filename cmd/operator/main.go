// The operator installs, keeps and uninstalls the Serverless module.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/pflag"
	"helm.sh/helm/v3/pkg/chartutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/health"
	"kyma-project.io/serverless/internal/installation"
	"kyma-project.io/serverless/internal/logging"
	"kyma-project.io/serverless/internal/module"
)

// gcPercent is how much the heap grows between two collections, in percent of
// what is in use. The operator is at rest nearly always, so that memory counts
// for more than the time that collections take.
const gcPercent = 30

type options struct {
	metricsAddress string
	probeAddress   string
	leaderElection bool
}

func main() {
	var opts options
	pflag.StringVar(&opts.metricsAddress, "metrics-bind-address", ":8080", "Where to answer /metrics.")
	pflag.StringVar(&opts.probeAddress, "health-probe-bind-address", ":8081", "Where to answer /healthz and /readyz.")
	pflag.BoolVar(&opts.leaderElection, "leader-elect", false, "Let only one of several operators work.")
	pflag.Parse()

	debug.SetGCPercent(gcPercent)
	log := logging.New(os.Stderr)
	ctrl.SetLogger(log.Logger)
	if err := run(ctrl.SetupSignalHandler(), log, opts); err != nil {
		log.Fatal(err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *logging.Log, opts options) error {
	if _, err := fips.Mode(); err != nil {
		return err
	}
	images, err := imagesFromEnvironment(os.Environ())
	if err != nil {
		return err
	}
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.ServerlessCacheOptions(),
		Metrics:                       metricsserver.Options{BindAddress: opts.metricsAddress},
		HealthProbeBindAddress:        opts.probeAddress,
		LeaderElection:                opts.leaderElection,
		LeaderElectionID:              "serverless-operator",
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("create manager: %w", err)
	}
	if err := addReconciler(mgr, parts, images); err != nil {
		return err
	}
	if err := (&controllers.LogReconciler{Client: mgr.GetClient(), Log: log}).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up reconciler of the log: %w", err)
	}
	if err := addProbes(mgr); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		apiextensionsv1.AddToScheme,
		v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build scheme: %w", err)
		}
	}
	return scheme, nil
}

func addReconciler(mgr ctrl.Manager, parts *chart.Chart, images module.Images) error {
	live, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	cluster, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("create discovery client: %w", err)
	}
	present := installation.New(live, mgr.GetClient())
	reconciler := &controllers.ServerlessReconciler{
		Client:       mgr.GetClient(),
		Live:         live,
		Capabilities: func() (*chartutil.Capabilities, error) { return chart.Capabilities(cluster) },
		Chart:        parts,
		Images:       images,
		Installation: present,
		Recorder:     mgr.GetEventRecorder("serverless-operator"),

		RegistryInterval: time.Minute,
	}
	if err := reconciler.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up reconciler: %w", err)
	}
	if err := mgr.Add(manager.RunnableFunc(present.RemoveObsolete)); err != nil {
		return fmt.Errorf("add removal of obsolete objects: %w", err)
	}
	return nil
}

func addProbes(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", health.Synced(mgr.GetCache())); err != nil {
		return fmt.Errorf("add readiness check: %w", err)
	}
	return nil
}
