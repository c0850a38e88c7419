package webhook

import (
	"context"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/validation"
)

// secretsTimeout bounds how long a request waits for what is only a warning.
// The API server gives up on the whole request after some seconds.
const secretsTimeout = time.Second

// validator refuses Functions that can't run, and warns.
type validator struct {
	Rules
	// secrets reads Secrets of users; it must not cache them.
	secrets client.Reader
}

// ValidateCreate refuses what the controller calls invalid, in the same words.
func (v *validator) ValidateCreate(ctx context.Context, fn *v1alpha2.Function) (admission.Warnings, error) {
	if problems := v.problems(fn); len(problems) > 0 {
		return nil, refusal(problems)
	}
	return v.warnings(ctx, fn), nil
}

// ValidateUpdate refuses a change that makes a Function worse. One that was
// invalid before, as it was created without the webhook or under other rules,
// can still be edited and removed.
func (v *validator) ValidateUpdate(ctx context.Context, former, fn *v1alpha2.Function) (admission.Warnings, error) {
	if fn.DeletionTimestamp != nil || equality.Semantic.DeepEqual(former.Spec, fn.Spec) {
		return nil, nil
	}
	problems, known := v.problems(fn), v.problems(former)
	if slices.ContainsFunc(problems, func(problem string) bool { return !slices.Contains(known, problem) }) {
		return nil, refusal(problems)
	}
	return append(problems, v.warnings(ctx, fn)...), nil
}

// ValidateDelete is not called: the configuration asks about no deletions.
func (v *validator) ValidateDelete(context.Context, *v1alpha2.Function) (admission.Warnings, error) {
	return nil, nil
}

func (v *validator) problems(fn *v1alpha2.Function) []string {
	problems := validation.Function(fn, v.Profiles)
	if v.FIPS {
		problems = append(problems, validation.FIPS(fn)...)
	}
	return problems
}

// refusal is what the client is told: that the request is of no use as it is,
// and what the Function's condition would say.
func refusal(problems []string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: status.InvalidSpec(problems...).Message,
	}}
}

func (v *validator) warnings(ctx context.Context, fn *v1alpha2.Function) []string {
	return append(validation.Warnings(fn, v.Profiles, v.Runtimes), v.missingSecrets(ctx, fn)...)
}

// missingSecrets warns of Secrets that are not there. What can't be found out
// in time is no reason to warn.
func (v *validator) missingSecrets(ctx context.Context, fn *v1alpha2.Function) []string {
	ctx, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	var warnings []string
	missing := map[string]bool{}
	for _, reference := range validation.Secrets(fn) {
		absent, asked := missing[reference.Name]
		if !asked {
			err := v.lookUp(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: reference.Name})
			if client.IgnoreNotFound(err) != nil {
				log.FromContext(ctx).Error(err, "look up Secret", "namespace", fn.Namespace, "secret", reference.Name)
				return warnings
			}
			absent = err != nil
			missing[reference.Name] = absent
		}
		if absent {
			warnings = append(warnings, reference.Missing())
		}
	}
	return warnings
}

// lookUp asks for a Secret's metadata only: its content never gets here.
func (v *validator) lookUp(ctx context.Context, key client.ObjectKey) error {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return v.secrets.Get(ctx, key, secret)
}
