package build

import (
	"context"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/internal/status"
)

// A created Job is looked for in the cache at this interval, and at most this long.
const (
	cachePoll  = 5 * time.Millisecond
	cacheDelay = 2 * time.Second
)

// Builder makes Functions' images.
type Builder struct {
	Client   client.Client
	Bases    *image.Bases
	Profiles preset.Profiles
	// MaxJobs bounds the Jobs that run at once in the cluster.
	MaxJobs int
	JobConfig

	// starting has Jobs counted and created by one at a time.
	starting sync.Mutex
}

// Request is what to build.
type Request struct {
	Function *v1alpha2.Function
	Source   source.Source
	Runtime  runtime.Runtime
	Registry *image.Registry
	// PackageRegistry is the content of the namespace's package registry Secret.
	PackageRegistry map[string][]byte
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
		return Result{Condition: condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, err.Error())}, nil
	}
	if err := b.endOtherJobs(ctx, in.Function, plan.Dependencies); err != nil {
		return Result{}, err
	}
	repository := image.FunctionRepository(in.Function.Namespace, in.Function.Name)
	digest, err := in.Registry.Find(ctx, repository, plan.Image)
	if err != nil {
		return Result{}, err
	}
	if digest == "" {
		if waiting, err := b.ensureDependencies(ctx, in, plan); waiting != nil || err != nil {
			return deref(waiting), err
		}
		if digest, err = b.assemble(ctx, in, plan, base, repository, published); err != nil {
			return Result{}, err
		}
	}
	reference := in.Registry.PullReference(repository, digest)
	return Result{Image: reference, Condition: condition(corev1.ConditionTrue, v1alpha2.ReasonJobFinished,
		fmt.Sprintf("Image %s is ready", reference))}, nil
}

// assemble puts the image together; published is the source's layer if it is
// in the registry already.
func (b *Builder) assemble(ctx context.Context, in Request, plan Plan, base image.Base, repository string, published *image.PublishedSource) (string, error) {
	layer, err := sourceLayer(in, published)
	if err != nil {
		return "", err
	}
	digest, err := in.Registry.Assemble(ctx, repository, plan.Image, image.Parts{
		Base:                   base,
		Dependencies:           plan.Dependencies,
		DependenciesRepository: image.DependenciesRepository(in.Function.Namespace),
		Source:                 layer,
	})
	if err != nil {
		// The registry may have lost its copy of the base: look again next time.
		b.Bases.Forget(in.Registry, in.Runtime.Image)
		return "", err
	}
	return digest, nil
}

// ensureDependencies returns nil once the dependency layer is in the registry,
// and otherwise what it waits for.
func (b *Builder) ensureDependencies(ctx context.Context, in Request, plan Plan) (*Result, error) {
	if plan.Dependencies == "" {
		return nil, nil
	}
	return b.ensureLayer(ctx, in, plan.Dependencies, func(attempt int) *batchv1.Job { return b.installJob(in, plan, attempt) })
}

// ensureLayer returns nil once the tag names a layer in the namespace's cache,
// and otherwise how far the Job is that publishes it.
func (b *Builder) ensureLayer(ctx context.Context, in Request, tag string, attempt jobOf) (*Result, error) {
	// First the Job, then the registry: a Job that ends in between has pushed.
	job, err := b.findJob(ctx, in.Function.Namespace, tag)
	if err != nil {
		return nil, err
	}
	digest, err := in.Registry.Find(ctx, image.DependenciesRepository(in.Function.Namespace), tag)
	if digest != "" || err != nil {
		return nil, err
	}
	if job == nil {
		return b.startJob(ctx, attempt(1))
	}
	switch StateOf(job) {
	case Succeeded:
		// Its layer was lost since.
		if err := b.deleteJob(ctx, job); err != nil {
			return nil, err
		}
		return b.startJob(ctx, attempt(1))
	case Failed:
		return b.retry(ctx, job, attempt)
	}
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

func (b *Builder) retry(ctx context.Context, job *batchv1.Job, next jobOf) (*Result, error) {
	attempt := Attempt(job)
	if wait := time.Until(FailedAt(job).Add(RetryAfter(attempt))); wait > 0 {
		pods, err := b.pods(ctx, job)
		if err != nil {
			return nil, err
		}
		message := fmt.Sprintf("Job %s failed, it will be re-run: %s", job.Name, FailureReason(job, pods))
		return &Result{Condition: condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, message), RetryAfter: wait}, nil
	}
	if err := b.deleteJob(ctx, job); err != nil {
		return nil, err
	}
	result, err := b.startJob(ctx, next(attempt+1))
	if result != nil {
		// The former failure stays in view until a try succeeds.
		result.Condition = condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
			fmt.Sprintf("Job %s failed, it is being re-run (attempt %d)", job.Name, attempt+1))
	}
	return result, err
}

func (b *Builder) installJob(in Request, plan Plan, attempt int) *batchv1.Job {
	return Job(JobInput{
		Function: in.Function, Runtime: in.Runtime, Plan: plan, Resources: b.resources(in.Function), PackageRegistry: in.PackageRegistry,
		Target:    in.Registry.PushReference(image.DependenciesRepository(in.Function.Namespace), plan.Dependencies),
		PlainHTTP: in.Registry.PlainHTTP(), Attempt: attempt, JobConfig: b.JobConfig,
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

func (b *Builder) startJob(ctx context.Context, job *batchv1.Job) (*Result, error) {
	running, err := b.createIfFree(ctx, job)
	if err != nil {
		return nil, err
	}
	if running >= b.MaxJobs {
		return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobRunning,
			fmt.Sprintf("Build waits: %d of at most %d builds are running", running, b.MaxJobs))}, nil
	}
	return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobCreated,
		fmt.Sprintf("Job %s created", job.Name))}, nil
}

// createIfFree creates the Job unless as many as allowed are running, and
// returns how many others are.
func (b *Builder) createIfFree(ctx context.Context, job *batchv1.Job) (int, error) {
	b.starting.Lock()
	defer b.starting.Unlock()
	// Another Function's may have come first since this one looked.
	other, err := b.findJob(ctx, job.Namespace, job.Labels[LabelDependencies])
	if err != nil {
		return 0, err
	}
	if other != nil && StateOf(other) == Active {
		other.DeepCopyInto(job)
		return 0, nil
	}
	running, err := b.running(ctx)
	if err != nil || running >= b.MaxJobs {
		return running, err
	}
	if err := b.Client.Create(ctx, job); err != nil && !apierrors.IsAlreadyExists(err) {
		return running, fmt.Errorf("create build Job %s: %w", job.Name, err)
	}
	b.awaitInCache(ctx, client.ObjectKeyFromObject(job))
	return running, nil
}

// awaitInCache waits until the next count has the Job, which takes some
// milliseconds. One that was deleted right away doesn't hold up others for long.
func (b *Builder) awaitInCache(ctx context.Context, job client.ObjectKey) {
	_ = wait.PollUntilContextTimeout(ctx, cachePoll, cacheDelay, true, func(ctx context.Context) (bool, error) {
		return b.Client.Get(ctx, job, &batchv1.Job{}) == nil, nil
	})
}

// running counts the active Jobs.
func (b *Builder) running(ctx context.Context) (int, error) {
	var jobs batchv1.JobList
	if err := b.Client.List(ctx, &jobs, client.MatchingLabels{v1alpha2.LabelManagedBy: v1alpha2.ManagedByController}); err != nil {
		return 0, fmt.Errorf("list build Jobs: %w", err)
	}
	running := 0
	for i := range jobs.Items {
		if StateOf(&jobs.Items[i]) == Active {
			running++
		}
	}
	return running, nil
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

// endOtherJobs ends the Function's builds of other dependencies than the
// current ones, and forgets those that failed: what they were for is not
// asked for any more, and others may wait for their place.
func (b *Builder) endOtherJobs(ctx context.Context, fn *v1alpha2.Function, current string) error {
	var jobs batchv1.JobList
	err := b.Client.List(ctx, &jobs, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})
	if err != nil {
		return fmt.Errorf("list build Jobs of Function %s: %w", fn.Name, err)
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		isCurrent := current != "" && job.Labels[LabelDependencies] == DependenciesLabel(current)
		if isCurrent || StateOf(job) == Succeeded {
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
