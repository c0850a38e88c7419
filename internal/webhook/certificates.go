package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kyma-project.io/serverless/internal/certificate"
)

// fieldManager owns the certificates and the authorities to trust; all other
// fields of the Secret and of the configurations are the operator's.
const fieldManager = "serverless-webhook"

var (
	errNoCertificate = errors.New("the server has no certificate yet")
	errNotTrusted    = errors.New("the API server was not told yet whom to trust")
)

// CertificateReconciler renews the certificates in the webhook's Secret, serves
// them from memory, and tells the API server whom to trust.
//
// Each replica does so, without a leader: a write is refused if the object was
// changed since it was read, so of two that renew, one succeeds, and the other
// takes over its result.
type CertificateReconciler struct {
	Client client.Client
	// Secret keeps the certificates. It has to be there, and may be empty.
	Secret client.ObjectKey
	Issuer certificate.Issuer

	serving atomic.Pointer[tls.Certificate]
	trusted atomic.Bool
}

func (r *CertificateReconciler) setupWithManager(mgr ctrl.Manager) error {
	secret := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: r.Secret}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("certificates").
		For(&corev1.Secret{}).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, secret).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, secret).
		Complete(r)
}

// Reconcile renews what is due, and comes back when the next thing is.
func (r *CertificateReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	secret := &corev1.Secret{}
	if err := r.Client.Get(ctx, r.Secret, secret); err != nil {
		// The operator makes it, which wakes us.
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	set, err := r.Issuer.Renew(secret.Data, time.Now())
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("renew certificates in Secret %s: %w", r.Secret, err)
	}
	if set.Data != nil {
		secret.Data = set.Data
		if written, err := r.update(ctx, secret); err != nil || !written {
			return ctrl.Result{}, err
		}
		ctrl.LoggerFrom(ctx).Info("renewed certificates", "next", set.RenewAt)
	}
	r.serving.Store(set.Server)
	if err := r.trust(ctx, set.Authorities); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(time.Until(set.RenewAt), time.Millisecond)}, nil
}

// trust tells the API server which authorities to trust.
func (r *CertificateReconciler) trust(ctx context.Context, authorities []byte) error {
	configurations := []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: DefaultingConfigurationName}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: ValidationConfigurationName}},
	}
	for _, configuration := range configurations {
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(configuration), configuration); err != nil {
			return client.IgnoreNotFound(err)
		}
		changed := false
		for _, connection := range connections(configuration) {
			changed = changed || !bytes.Equal(connection.CABundle, authorities)
			connection.CABundle = authorities
		}
		if !changed {
			continue
		}
		if written, err := r.update(ctx, configuration); err != nil || !written {
			return err
		}
	}
	r.trusted.Store(true)
	return nil
}

// connections are how the API server reaches the webhooks of a configuration.
func connections(configuration client.Object) []*admissionregistrationv1.WebhookClientConfig {
	var found []*admissionregistrationv1.WebhookClientConfig
	switch typed := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range typed.Webhooks {
			found = append(found, &typed.Webhooks[i].ClientConfig)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range typed.Webhooks {
			found = append(found, &typed.Webhooks[i].ClientConfig)
		}
	}
	return found
}

// update writes an object unless somebody changed it, which wakes us.
func (r *CertificateReconciler) update(ctx context.Context, object client.Object) (written bool, err error) {
	err = r.Client.Update(ctx, object, client.FieldOwner(fieldManager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("update %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return true, nil
}

// serve is asked for each new connection, so a renewal needs no restart.
func (r *CertificateReconciler) serve(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if serving := r.serving.Load(); serving != nil {
		return serving, nil
	}
	return nil, errNoCertificate
}

// ready tells whether requests of the API server can be answered.
func (r *CertificateReconciler) ready(*http.Request) error {
	if r.serving.Load() == nil {
		return errNoCertificate
	}
	if !r.trusted.Load() {
		return errNotTrusted
	}
	return nil
}
