package build

import (
	"context"
	"fmt"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// updateLabels gives the Function's Job that is under way the labels which the
// Function has got since; those of its Pod can't be changed. Others' labels
// stay. It returns nil where there is nothing to do.
func (b *Builder) updateLabels(ctx context.Context, fn *v1alpha2.Function, job *batchv1.Job, labels map[string]string) (*Result, error) {
	// Of the Functions that wait for the Job, only its owner labels it.
	if !metav1.IsControlledBy(job, fn) {
		return nil, nil
	}
	updated := job.DeepCopy()
	maps.Copy(updated.Labels, labels)
	if maps.Equal(updated.Labels, job.Labels) {
		return nil, nil
	}
	if err := b.Client.Patch(ctx, updated, client.MergeFrom(job)); err != nil {
		return nil, fmt.Errorf("update labels of build Job %s: %w", job.Name, err)
	}
	return &Result{Condition: condition(corev1.ConditionUnknown, v1alpha2.ReasonJobUpdated, fmt.Sprintf("Job %s updated", job.Name))}, nil
}
