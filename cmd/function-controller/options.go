package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
)

type options struct {
	baseNamespace          string
	excludedNamespaces     []string
	registrySecret         string
	packageRegistrySecret  string
	serviceAccount         string
	builderImage           string
	copyBuildImages        bool
	runtimes               runtime.Catalog
	profiles               preset.Config
	maxBuilds              int
	targetCPU              int32
	traceCollectorEndpoint string
	publisherProxyAddress  string
	livenessTimeout        time.Duration
	collectionInterval     time.Duration
	metricsAddress         string
	probeAddress           string
	gitPushAddress         string
	logConfig              string
	leaderElect            bool
	workers                int
	// fips is asked for by the environment.
	fips bool
}

// parseOptions reads the flags; the chart sets them from the environment that
// contract/functions.md 3.7 names.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("function-controller", pflag.ContinueOnError)
	flags.StringVar(&o.baseNamespace, "base-namespace", "kyma-system", "namespace of the module")
	flags.StringSliceVar(&o.excludedNamespaces, "excluded-namespaces", nil, "namespaces, besides the module's, that get no credentials of the registry")
	flags.StringVar(&o.registrySecret, "registry-secret-name", "serverless-registry-config-default", "name of the Secret that describes the registry of images")
	flags.StringVar(&o.packageRegistrySecret, "package-registry-config-secret-name", "serverless-package-registry-config", "name of a namespace's Secret that configures package registries")
	flags.StringVar(&o.serviceAccount, "service-account-name", "serverless-function", "name of the service account of Functions and builds")
	flags.StringVar(&o.builderImage, "builder-image", "", "image of the builder")
	flags.BoolVar(&o.copyBuildImages, "copy-build-images", false, "have build Jobs use copies of their images in the Functions' registry, for which no other credentials are needed")
	images := flags.StringToString("runtime-image", nil, "runtime=image of its base; may be repeated")
	flags.IntVar(&o.maxBuilds, "max-simultaneous-builds", 5, "how many build Jobs may run at once")
	flags.Int32Var(&o.targetCPU, "target-cpu-utilization-percentage", 50, "CPU utilization that automatic scaling aims at")
	flags.StringVar(&o.traceCollectorEndpoint, "trace-collector-endpoint", "", "where Functions send traces")
	flags.StringVar(&o.publisherProxyAddress, "publisher-proxy-address", "", "where Functions publish events")
	profiles := flags.String("resource-config", "", "profiles of resources, as YAML")
	flags.DurationVar(&o.livenessTimeout, "healthz-liveness-timeout", 10*time.Second, "how long a reconciliation may go on after its time is up, before the controller is unhealthy")
	flags.DurationVar(&o.collectionInterval, "collection-interval", time.Hour, "time between two collections of images that nothing refers to")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8090", "address of /healthz and /readyz")
	flags.StringVar(&o.gitPushAddress, "git-push-bind-address", ":8091", "address of /git-push, which Git hosts' webhooks call")
	flags.StringVar(&o.logConfig, "log-config", "", "file with logLevel and logFormat")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "wait to be the only active replica")
	flags.IntVar(&o.workers, "workers", 16, "how many Functions are reconciled at once")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.excludedNamespaces = append(o.excludedNamespaces, o.baseNamespace)
	o.runtimes = runtime.CatalogOf(*images)
	if o.builderImage == "" || len(o.runtimes) == 0 {
		return nil, fmt.Errorf("set --builder-image and at least one --runtime-image: without them nothing can be built")
	}
	if err := o.checkImages(); err != nil {
		return nil, err
	}
	var err error
	o.profiles, err = preset.Parse([]byte(*profiles))
	return o, err
}

func (o *options) checkImages() error {
	if err := image.CheckReference(o.builderImage); err != nil {
		return fmt.Errorf("parse --builder-image: %w", err)
	}
	for name, reference := range o.runtimes {
		if err := image.CheckReference(reference); err != nil {
			return fmt.Errorf("parse --runtime-image of %s: %w", name, err)
		}
	}
	return nil
}

// isForeign tells whether a reference is a user's own, and not one of ours.
func (o *options) isForeign(reference string) bool {
	for _, own := range o.runtimes {
		if reference == own {
			return false
		}
	}
	return reference != o.builderImage
}
