package controllers

import (
	"context"
	"errors"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/workload"
)

// FunctionReconciler turns a Function into an image, a Deployment and a Service.
type FunctionReconciler struct {
	client.Client
	Applier    *apply.Applier
	Registries *image.Registries
	Builder    *build.Builder
	Runtimes   runtime.Catalog
	Profiles   preset.Config
	Workload   workload.Config
	Recorder   events.EventRecorder
	// Git knows what the references of Git sources name.
	Git *git.Poller
	// Secrets reads the Secrets with credentials for Git, by name and from the API server.
	Secrets client.Reader
	// PackageRegistries reads the namespaces' package registry Secrets.
	PackageRegistries client.Reader
	// RegistrySecret and PackageRegistrySecret are the names of the
	// namespaces' Secrets for images and for packages.
	RegistrySecret, PackageRegistrySecret string
}

// report is what the steps of a reconciliation found out.
type report struct {
	conditions []v1alpha2.Condition
	// status has the fields besides the conditions.
	status v1alpha2.FunctionStatus
	// retryAfter is the time to look again when no event would tell.
	retryAfter time.Duration
}

func (r *report) add(conditions ...v1alpha2.Condition) {
	r.conditions = append(r.conditions, conditions...)
}

// Reconcile brings what runs to what the Function says, as far as it goes,
// and then writes down how far that was.
func (r *FunctionReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	fn := &v1alpha2.Function{}
	if err := r.Get(ctx, request.NamespacedName, fn); err != nil {
		r.Git.Forget(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if fn.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	found := &report{status: fn.Status}
	err := r.run(ctx, fn, found)
	if observeErr := r.observe(ctx, fn, found); observeErr != nil {
		return ctrl.Result{}, errors.Join(err, observeErr)
	}
	if statusErr := r.writeStatus(ctx, fn, found); statusErr != nil {
		return ctrl.Result{}, errors.Join(err, statusErr)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: found.retryAfter}, nil
}

// run is the way of a Function: configuration, source, build, workload. It
// stops at the first step that can't be done; what ran before runs on.
func (r *FunctionReconciler) run(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	rt, src, err := r.configure(ctx, fn, found)
	if err != nil || src == nil {
		return err
	}
	result, inputs, err := r.build(ctx, fn, rt, *src, found)
	if err != nil || result.Image == "" {
		return err
	}
	return r.deploy(ctx, fn, rt, result.Image, inputs, found)
}
