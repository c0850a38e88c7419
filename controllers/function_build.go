package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/revision"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/workload"
)

const (
	// annotationBuildInputs on a Deployment names the inputs of its image:
	// while they stay the same, no registry is asked for anything.
	annotationBuildInputs = "serverless.kyma-project.io/build-inputs"
	// annotationImage holds that image, whoever changes the one that runs.
	annotationImage = revision.AnnotationImage
)

// build returns the image of the source, with the key of what it was built from.
func (r *FunctionReconciler) build(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, src source.Source, found *report) (build.Result, string, error) {
	request, err := r.buildRequest(ctx, fn, rt, src)
	var excluded *ExcludedError
	if errors.As(err, &excluded) {
		found.add(status.Condition(v1alpha2.ConditionBuildReady, corev1.ConditionFalse, v1alpha2.ReasonJobFailed, err.Error()))
		return build.Result{}, "", nil
	}
	if err != nil {
		found.add(status.BuildWaits(err))
		return build.Result{}, "", err
	}
	inputs := request.InputsKey()
	if running, err := r.runningImage(ctx, fn, inputs); running != "" || err != nil {
		return build.Result{Image: running}, inputs, err
	}
	result, err := r.Builder.Ensure(ctx, request)
	if err != nil {
		found.add(status.BuildWaits(err))
		return build.Result{}, inputs, err
	}
	found.lookAgain(result.RetryAfter)
	found.awaitsBuild = result.Image == ""
	found.add(result.Condition)
	return result, inputs, nil
}

func (r *FunctionReconciler) buildRequest(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, src source.Source) (build.Request, error) {
	location, err := r.Namespaces.Location(ctx, fn.Namespace)
	if err != nil {
		return build.Request{}, err
	}
	registry, err := r.Registries.At(location)
	if err != nil {
		return build.Request{}, err
	}
	request := build.Request{Function: fn, Source: src, Runtime: rt, Registry: registry}
	if len(src.Dependencies) > 0 || src.Revision != nil {
		if request.PackageRegistry, err = r.packageRegistry(ctx, r.PackageRegistries, fn.Namespace); err != nil {
			return build.Request{}, err
		}
		request.CurrentPackageRegistry = func(ctx context.Context) (map[string][]byte, error) {
			return r.packageRegistry(ctx, r.Secrets, fn.Namespace)
		}
	}
	return request, nil
}

// packageRegistry is the content of the namespace's package registry Secret;
// nil without one.
func (r *FunctionReconciler) packageRegistry(ctx context.Context, secrets client.Reader, namespace string) (map[string][]byte, error) {
	var secret corev1.Secret
	err := secrets.Get(ctx, client.ObjectKey{Namespace: namespace, Name: r.PackageRegistrySecret}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read package registry Secret %s: %w", r.PackageRegistrySecret, err)
	}
	return secret.Data, nil
}

// runningImage is the image of the Function's Deployment if it was built from
// the same inputs, and nodes can pull it; else "".
func (r *FunctionReconciler) runningImage(ctx context.Context, fn *v1alpha2.Function, inputs string) (string, error) {
	deployment, err := r.deployment(ctx, fn)
	if err != nil || deployment == nil || deployment.Annotations[annotationBuildInputs] != inputs {
		return "", err
	}
	pods, err := r.pods(ctx, fn)
	if err != nil || workload.ImageMissing(pods) {
		return "", err
	}
	built := fn.Status.Condition(v1alpha2.ConditionBuildReady)
	if built == nil || built.Status != corev1.ConditionTrue {
		// Something else was being built meanwhile; Ensure says that it is over.
		return "", nil
	}
	return deployment.Annotations[annotationImage], nil
}
