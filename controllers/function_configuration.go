package controllers

import (
	"context"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/validation"
	"kyma-project.io/serverless/internal/workload"
)

// configure checks the spec and finds or stores the source. It returns no
// source where the spec has to be changed first, or Git to be heard.
func (r *FunctionReconciler) configure(ctx context.Context, fn *v1alpha2.Function, found *report) (runtime.Runtime, *source.Source, error) {
	found.status.ObservedGeneration = fn.Generation
	problems := validation.Function(fn, r.Profiles)
	if r.FIPS {
		problems = append(problems, validation.FIPS(fn)...)
	}
	if len(problems) > 0 {
		found.add(status.InvalidSpec(problems...))
		return runtime.Runtime{}, nil, nil
	}
	rt, err := r.Runtimes.Lookup(fn.Spec.Runtime, fn.Spec.RuntimeImageOverride)
	if err != nil {
		found.add(status.InvalidSpec(err.Error()))
		return runtime.Runtime{}, nil, nil
	}
	r.describe(fn, rt, found)
	if fn.Spec.Source.GitRepository != nil {
		src, err := r.gitSource(ctx, fn, found)
		return rt, src, err
	}
	r.notGit(fn, found)
	src, err := source.Inline(fn.Spec.Source.Inline, rt)
	if err != nil {
		found.add(status.InvalidSpec(err.Error()))
		return runtime.Runtime{}, nil, nil
	}
	configMap := workload.ConfigMap(fn, source.DependenciesText(fn.Spec.Source.Inline, rt))
	result, err := r.Applier.ApplyUnique(ctx, configMap)
	if err != nil {
		return rt, nil, found.failed(v1alpha2.ConditionConfigurationReady, v1alpha2.ReasonSourceUpdateFailed, err)
	}
	found.add(status.SourceStored(fn.Status.Condition(v1alpha2.ConditionConfigurationReady), configMap.Name, result))
	return rt, &src, nil
}

// describe fills in what the status says of the spec itself.
func (r *FunctionReconciler) describe(fn *v1alpha2.Function, rt runtime.Runtime, found *report) {
	var ofFunction, ofBuild *v1alpha2.ResourceRequirements
	if config := fn.Spec.ResourceConfiguration; config != nil {
		ofFunction, ofBuild = config.Function, config.Build
	}
	found.status.Runtime = fn.Spec.Runtime
	found.status.RuntimeImage = rt.Image
	found.status.RuntimeImageOverride = fn.Spec.RuntimeImageOverride
	_, found.status.FunctionResourceProfile = r.Profiles.Function.Resolve(ofFunction)
	_, found.status.BuildResourceProfile = r.Profiles.BuildJob.Resolve(ofBuild)
}
