package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/webhook"
)

type options struct {
	namespace      string
	service        string
	secret         string
	port           int
	rules          webhook.Rules
	metricsAddress string
	probeAddress   string
	logConfig      string
}

// parseOptions reads the flags. Those of the rules are the function controller's.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	flags.StringVar(&o.namespace, "namespace", "kyma-system", "namespace of the module")
	flags.StringVar(&o.service, "service-name", "serverless-webhook", "name of the Service through which the API server calls")
	flags.StringVar(&o.secret, "secret-name", "serverless-webhook", "name of the Secret that keeps the certificates")
	flags.IntVar(&o.port, "port", 8443, "port to answer the API server on")
	images := flags.StringToString("runtime-image", nil, "runtime=image of its base; may be repeated")
	profiles := flags.String("resource-config", "", "profiles of resources, as YAML")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":9090", "address of /metrics")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8090", "address of /healthz and /readyz")
	flags.StringVar(&o.logConfig, "log-config", "", "file with logLevel and logFormat")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if len(*images) == 0 {
		return nil, fmt.Errorf("set at least one --runtime-image: without any, each runtime would be warned about")
	}
	var err error
	o.rules.Runtimes = runtime.CatalogOf(*images)
	o.rules.Profiles, err = preset.Parse([]byte(*profiles))
	return o, err
}

// name is what the API server calls the Service.
func (o *options) name() string { return o.service + "." + o.namespace + ".svc" }
