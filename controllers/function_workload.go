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
		return found.failed(v1alpha2.ReasonDeploymentFailed, err)
	}
	found.add(status.Applied(desired.Kind, desired.Name, result)...)
	service := workload.Service(fn)
	if result, err = r.Applier.Apply(ctx, service); err != nil {
		return found.failed(v1alpha2.ReasonServiceFailed, err)
	}
	found.add(status.Applied(service.Kind, service.Name, result)...)
	return r.scale(ctx, fn, found)
}

// failed reports what can't be applied. The spec or the other object has to be
// changed where the API server refuses it; anything else is tried again.
func (r *report) failed(reason v1alpha2.ConditionReason, err error) error {
	var foreign *apply.ForeignError
	if !apierrors.IsInvalid(err) && !errors.As(err, &foreign) {
		return err
	}
	r.add(status.Condition(v1alpha2.ConditionRunning, corev1.ConditionFalse, reason, err.Error()))
	// Nobody tells when the foreign object goes.
	r.retryAfter = time.Minute
	return nil
}
