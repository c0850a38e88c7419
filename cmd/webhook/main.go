// The webhook defaults and validates Functions, and warns of what won't work.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/certificate"
	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/logging"
	"kyma-project.io/serverless/internal/webhook"
)

// How long certificates are valid; they are renewed when a third of that is left.
const (
	authorityLifetime = 365 * 24 * time.Hour
	serverLifetime    = 90 * 24 * time.Hour
)

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
	if options.rules.FIPS, err = fips.Mode(); err != nil {
		return err
	}
	if err := log.FollowFile(options.logConfig); err != nil {
		return err
	}
	ctrl.SetLogger(log.Logger)

	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme), v1alpha2.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("build scheme: %w", err)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("configure access to the cluster: %w", err)
	}
	// Each request may look up Secrets; the API server's own fairness limits that.
	config.QPS = -1
	certificates := &webhook.CertificateReconciler{
		Secret: client.ObjectKey{Namespace: options.namespace, Name: options.secret},
		Issuer: certificate.Issuer{Names: []string{options.name()}, AuthorityLifetime: authorityLifetime, ServerLifetime: serverLifetime},
	}
	mgr, err := ctrl.NewManager(config, webhook.Configure(ctrl.Options{
		Scheme:                 scheme,
		Metrics:                metricsserver.Options{BindAddress: options.metricsAddress},
		HealthProbeBindAddress: options.probeAddress,
	}, options.port, certificates))
	if err != nil {
		return fmt.Errorf("set up manager: %w", err)
	}
	if err := webhook.SetupWithManager(mgr, options.rules, certificates); err != nil {
		return err
	}
	if err := mgr.Add(log); err != nil {
		return fmt.Errorf("follow log configuration: %w", err)
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
