package build

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/metrics"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/internal/repository"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
)

// Builder makes Functions' images.
type Builder struct {
	Client   client.Client
	Bases    *image.Bases
	Profiles preset.Profiles
	// MaxJobs bounds the Jobs that run at once in the cluster.
	MaxJobs int
	Metrics *metrics.Builds
	// CopyImages has Jobs use copies of the released images, in the Functions'
	// registry: where releases are pulled with a Secret, users' namespaces don't
	// have it (docs/decisions/markets.md).
	CopyImages bool
	JobConfig

	// starting has Jobs counted and created by one at a time.
	starting sync.Mutex
	turns    turns
}

// Request is what to build.
type Request struct {
	Function *v1alpha2.Function
	Source   source.Source
	Runtime  runtime.Runtime
	Registry *image.Registry
	// PackageRegistry is the content of the namespace's package registry Secret,
	// as a cache shows it.
	PackageRegistry map[string][]byte
	// CurrentPackageRegistry reads it anew, right before a Job starts: of a Secret
	// and a Function that are applied together, the cache may show the Function first.
	CurrentPackageRegistry func(context.Context) (map[string][]byte, error)
}

// Result is what came of a request: an image, or a reason to wait.
type Result struct {
	// Image is the reference by digest that nodes pull; empty while there is none.
	Image     string
	Condition v1alpha2.Condition
	// RetryAfter is the time to ask again when nothing else would wake the caller.
	RetryAfter time.Duration
}

// InputsKey identifies what the request builds, and where to, without any
// look at a registry: a Function whose Deployment has the key is at rest.
func (r Request) InputsKey() string {
	return image.Key(image.LayerFormat, image.Platform().String(), r.Registry.PullAddress(), r.Runtime.Image, r.Source.Digest(),
		string(r.Source.Dependencies), configKey(r.PackageRegistry))
}

// Ensure returns the image of the request: the one that is there already, or
// else one put together of layers that are, or else it starts a Job for the
// dependency layer. The error is an image.UnavailableError if a registry
// doesn't answer.
func (b *Builder) Ensure(ctx context.Context, in Request) (Result, error) {
	base, err := b.Bases.Ensure(ctx, in.Registry, in.Runtime.Image)
	if err != nil {
		return Result{}, err
	}
	in, published, waiting, err := b.fetched(ctx, in)
	if waiting != nil || err != nil {
		return deref(waiting), err
	}
	plan, err := NewPlan(in.Source, in.Runtime, base, in.PackageRegistry)
	if err != nil {
		b.Forget(ctx, client.ObjectKeyFromObject(in.Function))
		return Result{Condition: condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, err.Error())}, nil
	}
	current := []string{plan.Dependencies}
	if in.Source.Revision != nil {
		// What it fetched is published, but the Job may have yet to end.
		current = append(current, SourceKey(in.Source.Revision, in.Runtime))
	}
	if err := b.endOtherJobs(ctx, in.Function, current...); err != nil {
		return Result{}, err
	}
	images := repository.Function(in.Function.Namespace, in.Function.Name)
	digest, err := in.Registry.Find(ctx, images, plan.Image)
	if err != nil {
		return Result{}, err
	}
	if digest != "" {
		b.Metrics.ImageFound(client.ObjectKeyFromObject(in.Function), plan.Image)
	} else {
		if waiting, err := b.ensureDependencies(ctx, in, plan); waiting != nil || err != nil {
			return deref(waiting), err
		}
		if digest, err = b.assemble(ctx, in, plan, base, published); err != nil {
			return Result{}, err
		}
	}
	reference := in.Registry.PullReference(images, digest)
	return Result{Image: reference, Condition: condition(corev1.ConditionTrue, v1alpha2.ReasonJobFinished,
		fmt.Sprintf("Image %s is ready", reference))}, nil
}

// awaitCache returns what to wait for while the cache is behind the package
// registry Secret, whose Job would be ended for another; else nil.
func (r Request) awaitCache(ctx context.Context) (*Result, error) {
	current, err := r.CurrentPackageRegistry(ctx)
	if err != nil || configKey(current) == configKey(r.PackageRegistry) {
		return nil, err
	}
	return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, "Build waits: the package registry Secret has just changed"),
		RetryAfter: cacheDelay}, nil
}

// assemble puts the image together; published is the source's layer if it is
// in the registry already.
func (b *Builder) assemble(ctx context.Context, in Request, plan Plan, base image.Base, published *image.PublishedSource) (digest string, err error) {
	defer func(start time.Time) { b.Metrics.Finished(metrics.ByAssembly, err == nil, time.Since(start)) }(time.Now())
	layer, err := sourceLayer(in, published)
	if err != nil {
		return "", err
	}
	from := originOf(in, published)
	digest, err = in.Registry.Assemble(ctx, repository.Function(in.Function.Namespace, in.Function.Name), plan.Image, image.Parts{
		Base:                   base,
		Dependencies:           plan.Dependencies,
		DependenciesRepository: repository.Dependencies(in.Function.Namespace),
		Source:                 layer,
		Annotations:            annotations(in, base, from),
		About: func(made image.Assembled) ([]referrer.Artifact, error) {
			return attestations(in, plan, base, from, made)
		},
	})
	if err != nil {
		// The registry may have lost its copy of the base: look again next time.
		b.Bases.Forget(in.Registry, in.Runtime.Image)
		return "", err
	}
	b.Metrics.ImageAssembled(client.ObjectKeyFromObject(in.Function), plan.Image)
	return digest, nil
}

// ensureDependencies returns nil once the dependency layer is in the registry,
// and otherwise what it waits for.
func (b *Builder) ensureDependencies(ctx context.Context, in Request, plan Plan) (*Result, error) {
	if plan.Dependencies == "" {
		return nil, nil
	}
	images, err := b.jobImages(ctx, in)
	if err != nil {
		return nil, err
	}
	waited := b.turns.asks(client.ObjectKeyFromObject(in.Function), layerID(in, plan.Dependencies))
	result, err := b.ensureLayer(ctx, in, plan.Dependencies, func(attempt int) *batchv1.Job { return b.installJob(in, plan, images, attempt) })
	switch {
	case err != nil:
	case result == nil && !waited:
		b.Metrics.LayerFound()
	case result != nil && result.Condition.Reason == v1alpha2.ReasonJobCreated:
		b.Metrics.LayerBuilt()
	}
	return result, err
}

func layerID(in Request, tag string) ID {
	return ID{Namespace: in.Function.Namespace, Dependencies: DependenciesLabel(tag)}
}

// ensureLayer returns nil once the tag names a layer in the namespace's cache,
// and otherwise how far the Job is that publishes it.
func (b *Builder) ensureLayer(ctx context.Context, in Request, tag string, attempt jobOf) (*Result, error) {
	// First the Job, then the registry: a Job that ends in between has pushed.
	job, err := b.findJob(ctx, in.Function.Namespace, tag)
	if err != nil {
		return nil, err
	}
	digest, err := in.Registry.Find(ctx, repository.Dependencies(in.Function.Namespace), tag)
	if digest != "" || err != nil {
		return nil, err
	}
	if !b.turns.ask(client.ObjectKeyFromObject(in.Function), layerID(in, tag)) {
		// The Job may have changed before anybody knew who waits for it.
		return b.ensureLayer(ctx, in, tag, attempt)
	}
	if job == nil {
		if waiting, err := in.awaitCache(ctx); waiting != nil || err != nil {
			return waiting, err
		}
		return b.startJob(ctx, in.Function, attempt(1), waitsSince(in.Function, time.Now()), nil)
	}
	switch StateOf(job) {
	case Succeeded:
		// Its layer was lost since.
		return b.startJob(ctx, in.Function, attempt(1), time.Now(), job)
	case Failed:
		return b.retry(ctx, in, job, attempt)
	}
	if updated, err := b.updateLabels(ctx, in.Function, job, attempt(Attempt(job)).Labels); updated != nil || err != nil {
		return updated, err
	}
	return b.inProgress(ctx, job)
}

func (b *Builder) inProgress(ctx context.Context, job *batchv1.Job) (*Result, error) {
	pods, err := b.pods(ctx, job)
	if err != nil {
		return nil, err
	}
	message := fmt.Sprintf("Job %s is still in progress", job.Name)
	if reason := PendingReason(pods); reason != "" {
		message += ": " + reason
	}
	return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, message)}, nil
}

// jobOf makes the Job of an attempt.
type jobOf func(attempt int) *batchv1.Job

// retry starts the failed Job anew, after a while. The failed one stays until
// another may take its place: it has the number of attempts.
func (b *Builder) retry(ctx context.Context, in Request, job *batchv1.Job, next jobOf) (*Result, error) {
	attempt := Attempt(job)
	pods, err := b.pods(ctx, job)
	if err != nil {
		return nil, err
	}
	failure := fmt.Sprintf("Job %s failed, it will be re-run: %s", job.Name, FailureReason(job, pods, Packages{Secret: b.PackageRegistrySecret, Config: in.PackageRegistry}))
	due := EndedAt(job).Add(RetryAfter(attempt))
	if wait := time.Until(due); wait > 0 {
		return &Result{Condition: condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, failure), RetryAfter: wait}, nil
	}
	result, err := b.startJob(ctx, in.Function, next(attempt+1), due, job)
	if err != nil {
		return nil, err
	}
	// The former failure stays in view until a try succeeds.
	message := fmt.Sprintf("Job %s failed, it is being re-run (attempt %d)", job.Name, attempt+1)
	if result.Condition.Reason != v1alpha2.ReasonJobCreated {
		message = failure + ". " + result.Condition.Message
	}
	result.Condition = condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, message)
	return result, nil
}

func (b *Builder) installJob(in Request, plan Plan, images jobImages, attempt int) *batchv1.Job {
	in.Runtime.Image = images.runtime
	cache := repository.Dependencies(in.Function.Namespace)
	var sourceReference string
	if plan.Lock.File != "" {
		sourceReference = in.Registry.PushReference(cache, SourceKey(in.Source.Revision, in.Runtime))
	}
	return Job(JobInput{
		Function: in.Function, Runtime: in.Runtime, Plan: plan, Resources: b.resources(in.Function), PackageRegistry: in.PackageRegistry,
		Target: in.Registry.PushReference(cache, plan.Dependencies), Source: sourceReference,
		PlainHTTP: in.Registry.PlainHTTP(), ByToken: in.Registry.Internal(), Certificates: in.Registry.Certificates() != "", Attempt: attempt, JobConfig: b.jobConfig(images),
	})
}

func (b *Builder) resources(fn *v1alpha2.Function) corev1.ResourceRequirements {
	var asked *v1alpha2.ResourceRequirements
	if config := fn.Spec.ResourceConfiguration; config != nil {
		asked = config.Build
	}
	resources, _ := b.Profiles.Resolve(asked)
	return resources
}

// startJob starts the Job in its turn, in place of a former one if there is
// one. It waits since the time.
func (b *Builder) startJob(ctx context.Context, fn *v1alpha2.Function, job *batchv1.Job, since time.Time, former *batchv1.Job) (*Result, error) {
	other, waits, err := b.createInTurn(ctx, fn, since, job, former)
	if err != nil {
		return nil, err
	}
	if other != nil {
		return b.inProgress(ctx, other)
	}
	if waits != "" {
		return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, waits)}, nil
	}
	return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobCreated,
		fmt.Sprintf("Job %s created", job.Name))}, nil
}

func (b *Builder) findJob(ctx context.Context, namespace, dependencies string) (*batchv1.Job, error) {
	var jobs batchv1.JobList
	err := b.Client.List(ctx, &jobs, client.InNamespace(namespace),
		client.MatchingLabels{LabelDependencies: DependenciesLabel(dependencies)})
	if err != nil {
		return nil, fmt.Errorf("list build Jobs of namespace %s: %w", namespace, err)
	}
	var found *batchv1.Job
	for i := range jobs.Items {
		if job := &jobs.Items[i]; job.DeletionTimestamp == nil && (found == nil || StateOf(job) == Active) {
			found = job
		}
	}
	return found, nil
}

func (b *Builder) pods(ctx context.Context, job *batchv1.Job) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := b.Client.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name})
	if err != nil {
		return nil, fmt.Errorf("list Pods of Job %s: %w", job.Name, err)
	}
	return pods.Items, nil
}

// endOtherJobs ends the Function's builds of other layers than the current
// ones, and forgets those that failed: what they were for is not asked for any
// more, and others may wait for their place.
func (b *Builder) endOtherJobs(ctx context.Context, fn *v1alpha2.Function, current ...string) error {
	var jobs batchv1.JobList
	err := b.Client.List(ctx, &jobs, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})
	if err != nil {
		return fmt.Errorf("list build Jobs of Function %s: %w", fn.Name, err)
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		isCurrent := func(tag string) bool { return tag != "" && job.Labels[LabelDependencies] == DependenciesLabel(tag) }
		if slices.ContainsFunc(current, isCurrent) || StateOf(job) == Succeeded {
			continue
		}
		if err := b.deleteJob(ctx, job); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) deleteJob(ctx context.Context, job *batchv1.Job) error {
	// By its UID: the cache may show a Job that was replaced since by one of the same name.
	err := b.Client.Delete(ctx, job, client.PropagationPolicy("Background"), client.Preconditions{UID: &job.UID})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete build Job %s: %w", job.Name, err)
	}
	return nil
}

func condition(s corev1.ConditionStatus, reason v1alpha2.ConditionReason, message string) v1alpha2.Condition {
	return status.Condition(v1alpha2.ConditionBuildReady, s, reason, message)
}

func deref(result *Result) Result {
	if result == nil {
		return Result{}
	}
	return *result
}
