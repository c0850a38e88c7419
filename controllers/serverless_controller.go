package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/installation"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/status"
)

const (
	// blockedInterval is how often Functions are counted that block the uninstallation.
	blockedInterval = 2 * time.Second
	// removalInterval is how often the uninstallation looks for what was not
	// watched; most of its steps are woken by a watch.
	removalInterval = time.Second
	// waitingInterval is how often Pods are looked at that keep the module from
	// being ready; they are not watched.
	waitingInterval = 2 * time.Second
	// cacheDelay is how long the cache is given to learn of a write.
	cacheDelay = 100 * time.Millisecond
)

// ServerlessReconciler installs, keeps and uninstalls the module as the
// Serverless resource in effect asks.
type ServerlessReconciler struct {
	// Client reads Serverless resources from the cache, and writes them.
	Client client.Client
	// Live reads what must not be outdated from the API server.
	Live client.Reader
	// TracingServices reads the Services that are named as Telemetry names its own.
	TracingServices client.Reader
	// OptionalDefinitions reads the definitions of kinds that the chart uses where they are there.
	OptionalDefinitions client.Reader
	// Capabilities tells what the cluster offers to charts.
	Capabilities func() (*chartutil.Capabilities, error)
	Chart        *chart.Chart
	Images       module.Images
	Installation *installation.Installation
	Recorder     events.EventRecorder
	// RegistryInterval is how often the user's registry Secret is read: it bears
	// no label of ours, and all Secrets of a cluster are too many to watch.
	RegistryInterval time.Duration
}

// Reconcile takes one Serverless resource a step further.
func (r *ServerlessReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, request)
	if apierrors.IsConflict(err) {
		// The cache is behind our own last write, which is no failure.
		return ctrl.Result{RequeueAfter: cacheDelay}, nil
	}
	return result, err
}

func (r *ServerlessReconciler) reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	list := &v1alpha1.ServerlessList{}
	if err := r.Client.List(ctx, list); err != nil {
		return ctrl.Result{}, fmt.Errorf("list Serverless resources: %w", err)
	}
	index := slices.IndexFunc(list.Items, func(item v1alpha1.Serverless) bool {
		return client.ObjectKeyFromObject(&item) == request.NamespacedName
	})
	if index < 0 {
		return ctrl.Result{}, nil
	}
	serverless := &list.Items[index]

	served := module.Served(list.Items)
	switch {
	case served.UID != serverless.UID:
		return ctrl.Result{}, r.publish(ctx, serverless, module.Redundant(served))
	case serverless.DeletionTimestamp == nil:
		return r.install(ctx, serverless)
	case controllerutil.ContainsFinalizer(serverless, v1alpha1.Finalizer):
		return r.uninstall(ctx, serverless)
	default:
		return ctrl.Result{}, nil
	}
}

// install makes the cluster what the resource asks for. What is not ready yet
// is watched, so nothing waits here.
func (r *ServerlessReconciler) install(ctx context.Context, serverless *v1alpha1.Serverless) (ctrl.Result, error) {
	if err := r.addFinalizer(ctx, serverless); err != nil {
		return ctrl.Result{}, err
	}
	if err := module.CheckSettings(serverless.Spec); err != nil {
		// Only an edit helps, which wakes the reconciler.
		return ctrl.Result{}, r.fail(ctx, serverless, module.ConfigurationFailed(err), reconcile.TerminalError(err))
	}
	configuration, err := r.configure(ctx, serverless)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, serverless, module.ConfigurationFailed(err), err)
	}
	if meta.FindStatusCondition(serverless.Status.Conditions, string(v1alpha1.ConditionInstalled)) == nil {
		// The first time, applying takes a while, so the user is told before.
		if err := r.publish(ctx, serverless, module.Installing(configuration)); err != nil {
			return ctrl.Result{}, err
		}
	}
	capabilities, retryAfter, err := r.capabilities(ctx)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, serverless, module.InstallationFailed(configuration, err), err)
	}
	unready, applyAfter, err := r.apply(ctx, serverless, configuration, capabilities)
	result := ctrl.Result{RequeueAfter: sooner(retryAfter, applyAfter)}
	if kind, _ := module.ChooseRegistry(serverless.Spec); kind == module.RegistryExternal {
		result.RequeueAfter = sooner(result.RequeueAfter, r.RegistryInterval)
	}
	switch {
	case err != nil:
		return ctrl.Result{}, r.fail(ctx, serverless, module.InstallationFailed(configuration, err), err)
	case len(unready) > 0:
		result.RequeueAfter = sooner(result.RequeueAfter, waitingInterval)
		return result, r.publish(ctx, serverless, module.Waiting(configuration, unready))
	default:
		return result, r.publish(ctx, serverless, module.Installed(configuration))
	}
}

func (r *ServerlessReconciler) addFinalizer(ctx context.Context, serverless *v1alpha1.Serverless) error {
	former := serverless.DeepCopy()
	if !controllerutil.AddFinalizer(serverless, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, serverless, lockedPatch(former)); err != nil {
		return fmt.Errorf("add finalizer: %w", err)
	}
	return nil
}

// apply renders the chart for the configuration, applies it, and tells what is
// not ready. When all is, it removes what a former implementation left. It
// returns when to go on, if no watch would tell.
func (r *ServerlessReconciler) apply(ctx context.Context, serverless *v1alpha1.Serverless, configuration module.Configuration, capabilities *chartutil.Capabilities) ([]string, time.Duration, error) {
	release := chart.Release{Name: module.Release, Namespace: serverless.Namespace}
	objects, err := r.Chart.Render(release, configuration.Values(r.Images), capabilities)
	if err != nil {
		return nil, 0, err
	}
	going, err := r.Installation.Apply(ctx, objects)
	if err != nil || len(going) > 0 {
		return going, removalInterval, err
	}
	unready, err := r.Installation.Unready(ctx, objects)
	if err != nil || len(unready) > 0 {
		return unready, 0, err
	}
	applyAfter, err := r.removeFormer(ctx, serverless, objects)
	return nil, applyAfter, err
}

// uninstall removes the module, unless Functions are left: they would lose
// what they run on.
func (r *ServerlessReconciler) uninstall(ctx context.Context, serverless *v1alpha1.Serverless) (ctrl.Result, error) {
	if held, err := r.isHeld(ctx, serverless); err != nil || !held {
		return ctrl.Result{}, err
	}
	functions, err := r.Installation.Functions(ctx)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, serverless, module.UninstallationFailed(err), err)
	}
	if functions.Count > 0 {
		return ctrl.Result{RequeueAfter: blockedInterval}, r.publish(ctx, serverless, module.UninstallationBlocked(functions))
	}
	if meta.FindStatusCondition(serverless.Status.Conditions, string(v1alpha1.ConditionDeleted)) == nil {
		if err := r.publish(ctx, serverless, module.Uninstalling(module.Removal{Step: module.RemovalOfAll})); err != nil {
			return ctrl.Result{}, err
		}
	}
	removal, err := r.Installation.Remove(ctx, serverless.Namespace)
	if err != nil {
		return ctrl.Result{}, r.fail(ctx, serverless, module.UninstallationFailed(err), err)
	}
	if !removal.Done() {
		return ctrl.Result{RequeueAfter: removalInterval}, r.publish(ctx, serverless, module.Uninstalling(removal))
	}
	if err := r.publish(ctx, serverless, module.Uninstalled()); err != nil {
		return ctrl.Result{}, err
	}
	former := serverless.DeepCopy()
	controllerutil.RemoveFinalizer(serverless, v1alpha1.Finalizer)
	if err := r.Client.Patch(ctx, serverless, lockedPatch(former)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("remove finalizer: %w", err)
	}
	return ctrl.Result{}, nil
}

// sooner returns the shorter of two delays, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// isHeld tells if the finalizer is still there: the cache may not have learnt
// that it is gone, and what came since is not this resource's to remove.
func (r *ServerlessReconciler) isHeld(ctx context.Context, serverless *v1alpha1.Serverless) (bool, error) {
	list := &v1alpha1.ServerlessList{}
	err := r.Live.List(ctx, list, client.InNamespace(serverless.Namespace), client.MatchingFields{"metadata.name": serverless.Name})
	if err != nil {
		return false, fmt.Errorf("look for the resource: %w", err)
	}
	return slices.ContainsFunc(list.Items, func(item v1alpha1.Serverless) bool {
		return item.UID == serverless.UID && controllerutil.ContainsFinalizer(&item, v1alpha1.Finalizer)
	}), nil
}

// fail publishes a failure and returns its cause, so that it is tried again. A
// conflict is none: another write came in between, which is soon known.
func (r *ServerlessReconciler) fail(ctx context.Context, serverless *v1alpha1.Serverless, report module.Report, cause error) error {
	if apierrors.IsConflict(cause) {
		return cause
	}
	if err := r.publish(ctx, serverless, report); err != nil {
		return err
	}
	return cause
}

// publish writes the status that follows from a report, and an event for each
// change. The write is refused when the status was read from an outdated
// cache, so that no event is repeated.
func (r *ServerlessReconciler) publish(ctx context.Context, serverless *v1alpha1.Serverless, report module.Report) error {
	former := serverless.DeepCopy()
	serverless.Status = report.Status(former.Status, former.Generation)
	if equality.Semantic.DeepEqual(former.Status, serverless.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, serverless, lockedPatch(former)); err != nil {
		return fmt.Errorf("update status: %w", err)
	}
	for _, event := range module.Events(former.Status, serverless.Status) {
		r.Recorder.Eventf(serverless, nil, event.Type, event.Reason, event.Action, "%s", status.Note(event.Message))
	}
	return nil
}

func lockedPatch(former client.Object) client.Patch {
	return client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{})
}
