package installation

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const (
	// formerBuildPage bounds the memory for finished builds, of which the
	// original keeps one for each Function.
	formerBuildPage = 100
	// formerBuildTime is after how long a build of the original is taken to hang.
	formerBuildTime = time.Hour
	// formerBuildContainer names the container of the original's builds (contract/functions.md 3.3).
	formerBuildContainer = "executor"
)

// removeFormerBuilds deletes the original's build Jobs that have ended or that
// hang, and tells if others still run. Nothing uses the images that those make,
// but a build that somebody watches is not taken away.
func (i *Installation) removeFormerBuilds(ctx context.Context) (running bool, err error) {
	jobs := &batchv1.JobList{}
	for {
		err := i.live.List(ctx, jobs, client.MatchingLabels{v1alpha2.LabelManagedBy: v1alpha2.ManagedByController},
			client.Limit(formerBuildPage), client.Continue(jobs.Continue))
		if err != nil {
			return false, fmt.Errorf("list former build Jobs: %w", err)
		}
		for _, job := range jobs.Items {
			if !isFormerBuild(&job) {
				continue
			}
			if !hasEnded(&job) && time.Since(job.CreationTimestamp.Time) < formerBuildTime {
				running = true
				continue
			}
			object := named(batchv1.SchemeGroupVersion.WithKind("Job"), job.Namespace, job.Name)
			object.ObjectMeta = job.ObjectMeta
			if err := i.delete(ctx, &object); err != nil {
				return false, err
			}
		}
		if jobs.Continue == "" {
			return running, nil
		}
	}
}

// isFormerBuild tells the original's Jobs from ours, which have the same labels.
func isFormerBuild(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Spec.Template.Spec.Containers, func(container corev1.Container) bool {
		return container.Name == formerBuildContainer
	})
}

func hasEnded(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(condition batchv1.JobCondition) bool {
		return (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue
	})
}
