package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/health"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/metrics"
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
	// FIPS refuses what can't be had in FIPS mode.
	FIPS      bool
	Workload  workload.Config
	Recorder  events.EventRecorder
	Durations *metrics.Functions
	Loop      *health.Loop
	// Git knows what the references of Git sources name.
	Git *git.Poller
	// Secrets reads Secrets by name and from the API server: those with credentials
	// for Git, and what a cache may not show yet.
	Secrets client.Reader
	// PackageRegistries reads the namespaces' package registry Secrets.
	PackageRegistries client.Reader
	// PackageRegistrySecret is their name.
	PackageRegistrySecret string
	// Namespaces has the namespaces' registries of images.
	Namespaces *NamespaceSetup
}

// report is what the steps of a reconciliation found out.
type report struct {
	conditions []v1alpha2.Condition
	// status has the fields besides the conditions.
	status v1alpha2.FunctionStatus
	// image is what the Deployment was told to run.
	image string
	// retryAfter is the time to look again when no event would tell.
	retryAfter time.Duration
	// awaitsBuild tells that the image will be there when a build has ended.
	awaitsBuild bool
}

func (r *report) add(conditions ...v1alpha2.Condition) {
	r.conditions = append(r.conditions, conditions...)
}

func (r *report) has(kind v1alpha2.ConditionType) bool {
	return slices.ContainsFunc(r.conditions, func(c v1alpha2.Condition) bool { return c.Type == kind })
}

// Reconcile brings what runs to what the Function says, as far as it goes,
// and then writes down how far that was.
func (r *FunctionReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	fn := &v1alpha2.Function{}
	err := r.Get(ctx, request.NamespacedName, fn)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if err != nil || fn.DeletionTimestamp != nil {
		r.forget(ctx, request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if asked, rollBack := fn.Annotations[v1alpha2.AnnotationRollbackTo]; rollBack {
		return ctrl.Result{}, r.rollBack(ctx, fn, asked)
	}
	found := &report{status: fn.Status}
	err = r.run(ctx, fn, found)
	if !found.awaitsBuild {
		r.Builder.Forget(ctx, request.NamespacedName)
	}
	if observeErr := r.observe(ctx, fn, found); observeErr != nil {
		return ctrl.Result{}, errors.Join(err, observeErr)
	}
	err = errors.Join(err, r.keepRevision(ctx, fn, found))
	if statusErr := r.writeStatus(ctx, fn, found); statusErr != nil {
		return ctrl.Result{}, errors.Join(err, statusErr)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: found.retryAfter}, nil
}

// forget drops what is held in memory of a Function that is gone.
func (r *FunctionReconciler) forget(ctx context.Context, function client.ObjectKey) {
	r.Git.Forget(function)
	r.Builder.Forget(ctx, function)
	r.Builder.Metrics.Forget(function)
	r.Durations.Forget(function)
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
