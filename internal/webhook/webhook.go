// Package webhook answers the API server's questions about Functions that are
// created or changed: which defaults they get, whether they are valid, and
// what their user should know. The rules are those of internal/validation and
// internal/preset; without the webhook the controller applies the same ones.
package webhook

import (
	"crypto/tls"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
)

// Where the webhook answers, and the configurations that tell the API server
// so (contract/functions.md 4).
const (
	DefaultingPath              = "/defaulting/functions"
	ValidationPath              = "/validation/function"
	DefaultingConfigurationName = "defaulting.webhook.serverless.kyma-project.io"
	ValidationConfigurationName = "validation.webhook.serverless.kyma-project.io"
)

// Rules are what the answers depend on: those of the function controller.
type Rules struct {
	Profiles preset.Config
	Runtimes runtime.Catalog
	// FIPS refuses what can't be had in FIPS mode.
	FIPS bool
}

// Configure adds what the webhook needs to the options of its manager: a cache
// that holds nothing but the three objects which have to do with certificates,
// and a server.
func Configure(options ctrl.Options, port int, certificates *CertificateReconciler) ctrl.Options {
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	secret := certificates.Secret
	options.Cache = cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{secret.Namespace: {FieldSelector: named(secret.Name)}}},
		&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: named(DefaultingConfigurationName)},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: named(ValidationConfigurationName)},
	}}
	options.WebhookServer = webhook.NewServer(webhook.Options{
		Port:    port,
		TLSOpts: []func(*tls.Config){func(config *tls.Config) { config.GetCertificate = certificates.serve }},
	})
	return options
}

// SetupWithManager adds the webhook to a manager that was configured for it.
func SetupWithManager(mgr ctrl.Manager, rules Rules, certificates *CertificateReconciler) error {
	certificates.Client = mgr.GetClient()
	if err := certificates.setupWithManager(mgr); err != nil {
		return fmt.Errorf("set up certificates: %w", err)
	}
	server := mgr.GetWebhookServer()
	server.Register(DefaultingPath, &admission.Webhook{Handler: &defaulter{
		decoder: admission.NewDecoder(mgr.GetScheme()), Rules: rules,
	}})
	server.Register(ValidationPath, admission.WithValidator(mgr.GetScheme(), &validator{
		Rules: rules, secrets: mgr.GetAPIReader(),
	}))
	for name, check := range map[string]healthz.Checker{"server": server.StartedChecker(), "certificates": certificates.ready} {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("add readiness check: %w", err)
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health check: %w", err)
	}
	return nil
}
