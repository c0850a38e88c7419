package build

import (
	"context"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/repository"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

// SourceKey is the tag of a revision's published files. A commit's files never
// change, so no commit is fetched twice into a namespace.
func SourceKey(revision *source.Revision, rt runtime.Runtime) string {
	inputs := []string{"source", image.LayerFormat, rt.FunctionDir, rt.SourceFile, rt.DependenciesFile, emptyDependencies(rt),
		revision.URL, revision.Commit, revision.BaseDir}
	return image.Key(append(inputs, rt.LockFiles...)...)
}

// fetched completes a source that is in Git by what its commit holds. The
// result is not nil while a Job has yet to fetch that.
func (b *Builder) fetched(ctx context.Context, in Request) (Request, *image.PublishedSource, *Result, error) {
	if in.Source.Revision == nil {
		return in, nil, nil, nil
	}
	tag := SourceKey(in.Source.Revision, in.Runtime)
	published, err := in.Registry.FindSource(ctx, repository.Dependencies(in.Function.Namespace), tag)
	if err != nil {
		return in, nil, nil, err
	}
	if published == nil {
		waiting, err := b.fetch(ctx, in, tag)
		return in, nil, waiting, err
	}
	in.Source, err = in.Source.Fetched(published.Content, published.Dependencies, published.Lock, in.Runtime)
	if err != nil {
		b.Forget(ctx, client.ObjectKeyFromObject(in.Function))
		return in, nil, &Result{Condition: condition(corev1.ConditionFalse, v1alpha2.ReasonJobFailed, err.Error())}, nil
	}
	return in, published, nil, nil
}

// fetch has a Job publish the commit's files under the tag.
func (b *Builder) fetch(ctx context.Context, in Request, tag string) (*Result, error) {
	// What is built for an earlier commit is not asked for any more.
	if err := b.endOtherJobs(ctx, in.Function, tag); err != nil {
		return nil, err
	}
	images, err := b.jobImages(ctx, in)
	if err != nil {
		return nil, err
	}
	waiting, err := b.ensureLayer(ctx, in, tag, func(attempt int) *batchv1.Job { return b.fetchJob(in, tag, images, attempt) })
	if waiting != nil || err != nil {
		return waiting, err
	}
	// It was published since it was looked for.
	return &Result{RetryAfter: time.Millisecond,
		Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, "The source is fetched")}, nil
}

func (b *Builder) fetchJob(in Request, tag string, images jobImages, attempt int) *batchv1.Job {
	return FetchJob(FetchInput{
		Function: in.Function, Runtime: in.Runtime, Revision: *in.Source.Revision, Tag: tag, Resources: b.resources(in.Function),
		Target:    in.Registry.PushReference(repository.Dependencies(in.Function.Namespace), tag),
		PlainHTTP: in.Registry.PlainHTTP(), ByToken: in.Registry.Internal(), Certificates: in.Registry.Certificates() != "", Attempt: attempt, JobConfig: b.jobConfig(images),
	})
}

// sourceLayer is the published one, or else that of the files in the Function.
func sourceLayer(in Request, published *image.PublishedSource) (v1.Layer, error) {
	if published != nil {
		return published.Layer, nil
	}
	return image.FilesLayer(in.Runtime.FunctionDir, in.Source.Files)
}

// emptyDependencies is the dependencies file of a source that has none.
func emptyDependencies(rt runtime.Runtime) string {
	return source.DependenciesText(&v1alpha2.InlineSource{}, rt)
}
