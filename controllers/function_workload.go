package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

// deploy runs the image.
func (r *FunctionReconciler) deploy(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, image, inputs string, found *report) error {
	var asked *v1alpha2.ResourceRequirements
	if config := fn.Spec.ResourceConfiguration; config != nil {
		asked = config.Function
	}
	resources, _ := r.Profiles.Function.Resolve(asked)
	desired := workload.Deployment(fn, rt, image, resources, r.Workload)
	desired.Annotations = map[string]string{annotationBuildInputs: inputs, annotationImage: image}
	result, err := r.Applier.ApplyUnique(ctx, desired)
	if err != nil {
		return found.failed(v1alpha2.ConditionRunning, v1alpha2.ReasonDeploymentFailed, err)
	}
	found.add(status.Applied(desired.Kind, desired.Name, result)...)
	service := workload.Service(fn)
	if result, err = r.Applier.Apply(ctx, service); err != nil {
		return found.failed(v1alpha2.ConditionRunning, v1alpha2.ReasonServiceFailed, err)
	}
	found.add(status.Applied(service.Kind, service.Name, result)...)
	found.image = image
	return r.scale(ctx, fn, found)
}

// failed reports what can't be applied: without it, what runs of a former spec
// would seem to be the present one's. Where the API server refuses it, the spec,
// a quota, a policy or the other object has to be changed; anything else is
// only tried again.
func (r *report) failed(kind v1alpha2.ConditionType, reason v1alpha2.ConditionReason, err error) error {
	var foreign *apply.ForeignError
	lasting := apierrors.IsInvalid(err) || errors.As(err, &foreign)
	known := corev1.ConditionUnknown
	if lasting || apierrors.IsForbidden(err) {
		known = corev1.ConditionFalse
	}
	r.add(status.Condition(kind, known, reason, status.NotApplied(err)))
	if !lasting {
		return err
	}
	// Nobody tells when the foreign object goes.
	r.retryAfter = time.Minute
	return nil
}
