package controllers

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
	"kyma-project.io/serverless/internal/validation"
	"kyma-project.io/serverless/internal/workload"
)

const (
	// annotationBuildInputs on a Deployment names the inputs of its image:
	// while they stay the same, no registry is asked for anything.
	annotationBuildInputs = "serverless.kyma-project.io/build-inputs"
	// annotationImage holds that image, whoever changes the one that runs.
	annotationImage = "serverless.kyma-project.io/image"
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

// configure checks the spec and stores the inline source. It returns no
// source where the spec has to be changed first.
func (r *FunctionReconciler) configure(ctx context.Context, fn *v1alpha2.Function, found *report) (runtime.Runtime, *source.Source, error) {
	found.status.ObservedGeneration = fn.Generation
	if problems := validation.Function(fn, r.Profiles); len(problems) > 0 {
		found.add(status.InvalidSpec(problems...))
		return runtime.Runtime{}, nil, nil
	}
	rt, err := r.Runtimes.Lookup(fn.Spec.Runtime, fn.Spec.RuntimeImageOverride)
	if err != nil {
		found.add(status.InvalidSpec(err.Error()))
		return runtime.Runtime{}, nil, nil
	}
	if fn.Spec.Source.Inline == nil {
		found.add(status.InvalidSpec("source.gitRepository is not supported yet; use source.inline"))
		return runtime.Runtime{}, nil, nil
	}
	src, err := source.Inline(fn.Spec.Source.Inline, rt)
	if err != nil {
		found.add(status.InvalidSpec(err.Error()))
		return runtime.Runtime{}, nil, nil
	}
	configMap := workload.ConfigMap(fn, source.DependenciesText(fn.Spec.Source.Inline, rt))
	result, err := r.Applier.Apply(ctx, configMap)
	if err != nil {
		return rt, nil, err
	}
	found.add(status.SourceStored(fn.Status.Condition(v1alpha2.ConditionConfigurationReady), configMap.Name, result))
	r.describe(fn, rt, found)
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

// build returns the image of the source, with the key of what it was built from.
func (r *FunctionReconciler) build(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, src source.Source, found *report) (build.Result, string, error) {
	request, err := r.buildRequest(ctx, fn, rt, src)
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
	found.retryAfter = result.RetryAfter
	found.add(result.Condition)
	return result, inputs, nil
}

func (r *FunctionReconciler) buildRequest(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, src source.Source) (build.Request, error) {
	var secret corev1.Secret
	if err := r.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: r.RegistrySecret}, &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return build.Request{}, fmt.Errorf("docker registry configuration not found, configuration secret (%s) not found in function namespace", r.RegistrySecret)
		}
		return build.Request{}, fmt.Errorf("read registry Secret %s: %w", r.RegistrySecret, err)
	}
	location, err := image.LocationFromSecret(&secret)
	if err != nil {
		return build.Request{}, err
	}
	registry, err := r.Registries.At(location)
	if err != nil {
		return build.Request{}, err
	}
	request := build.Request{Function: fn, Source: src, Runtime: rt, Registry: registry}
	if len(src.Dependencies) > 0 {
		var packages corev1.Secret
		err := r.PackageRegistries.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: r.PackageRegistrySecret}, &packages)
		if client.IgnoreNotFound(err) != nil {
			return build.Request{}, fmt.Errorf("read package registry Secret %s: %w", r.PackageRegistrySecret, err)
		}
		request.PackageRegistry = packages.Data
	}
	return request, nil
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

// deploy runs the image.
func (r *FunctionReconciler) deploy(ctx context.Context, fn *v1alpha2.Function, rt runtime.Runtime, image, inputs string, found *report) error {
	var asked *v1alpha2.ResourceRequirements
	if config := fn.Spec.ResourceConfiguration; config != nil {
		asked = config.Function
	}
	resources, _ := r.Profiles.Function.Resolve(asked)
	desired := workload.Deployment(fn, rt, image, resources, r.Workload)
	desired.Annotations = map[string]string{annotationBuildInputs: inputs, annotationImage: image}
	result, err := r.Applier.Apply(ctx, desired)
	if err != nil {
		return found.failed(v1alpha2.ReasonDeploymentFailed, err)
	}
	if result != apply.Unchanged {
		found.add(status.DeploymentApplied(desired.Name, result))
	}
	if _, err := r.Applier.Apply(ctx, workload.Service(fn)); err != nil {
		return found.failed(v1alpha2.ReasonServiceFailed, err)
	}
	return nil
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

// observe reports how the Function's Pods are doing, whatever the steps before came to.
func (r *FunctionReconciler) observe(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	for _, condition := range found.conditions {
		if condition.Type == v1alpha2.ConditionRunning {
			return nil
		}
	}
	deployment, err := r.deployment(ctx, fn)
	if err != nil || deployment == nil {
		return err
	}
	pods, err := r.pods(ctx, fn)
	if err != nil {
		return err
	}
	found.status.Replicas = deployment.Status.Replicas
	found.status.PodSelector = labels.SelectorFromSet(deployment.Spec.Selector.MatchLabels).String()
	found.add(workload.Rollout(deployment, pods))
	return nil
}

// writeStatus writes the status if it differs, and an event for each condition that changed.
func (r *FunctionReconciler) writeStatus(ctx context.Context, fn *v1alpha2.Function, found *report) error {
	var changed []v1alpha2.Condition
	found.status.Conditions, changed = status.Merge(fn.Status.Conditions, found.conditions, metav1.Now())
	if reflect.DeepEqual(fn.Status, found.status) {
		return nil
	}
	former := fn.DeepCopy()
	fn.Status = found.status
	err := r.Status().Patch(ctx, fn, client.MergeFromWithOptions(former, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) {
		// What was seen is out of date, so may be what was found. The newer version is on its way here.
		return nil
	}
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, condition := range changed {
		// Events of one reason and action are folded into the first, and the others' messages are lost.
		action := fmt.Sprintf("%s@%d", condition.Type, fn.Generation)
		r.Recorder.Eventf(fn, nil, status.EventType(condition), string(condition.Reason), action, "%s", status.Note(condition.Message))
		log.FromContext(ctx).Info("condition changed", "type", condition.Type, "status", condition.Status, "reason", condition.Reason)
	}
	return nil
}

func (r *FunctionReconciler) deployment(ctx context.Context, fn *v1alpha2.Function) (*appsv1.Deployment, error) {
	deployment := &appsv1.Deployment{}
	err := r.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: workload.ChildName(fn)}, deployment)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Deployment of Function: %w", err)
	}
	return deployment, nil
}

func (r *FunctionReconciler) pods(ctx context.Context, fn *v1alpha2.Function) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(fn.Namespace), client.MatchingLabels(workload.SelectorLabels(fn))); err != nil {
		return nil, fmt.Errorf("list Pods of Function: %w", err)
	}
	return pods.Items, nil
}
