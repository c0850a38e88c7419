package installation

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Unready tells which of the rendered objects are not ready, and why.
func (i *Installation) Unready(ctx context.Context, rendered []*unstructured.Unstructured) ([]string, error) {
	var unready []string
	for _, object := range rendered {
		if object.GetKind() != "Deployment" {
			continue
		}
		deployment := &appsv1.Deployment{}
		if err := i.live.Get(ctx, client.ObjectKeyFromObject(object), deployment); err != nil {
			return nil, fmt.Errorf("get Deployment %s: %w", client.ObjectKeyFromObject(object), err)
		}
		if why := whyUnavailable(deployment); why != "" {
			unready = append(unready, fmt.Sprintf("Deployment %s: %s", deployment.Name, why))
		}
	}
	return unready, nil
}

// whyUnavailable says why a Deployment is not available; it is empty if it is.
func whyUnavailable(deployment *appsv1.Deployment) string {
	if deployment.Status.ObservedGeneration < deployment.Generation {
		return "its change is not observed yet"
	}
	conditions := map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition{}
	for _, condition := range deployment.Status.Conditions {
		conditions[condition.Type] = condition
	}
	// The causes that say more come first.
	if failure := conditions[appsv1.DeploymentReplicaFailure]; failure.Status == corev1.ConditionTrue {
		return failure.Message
	}
	if progress := conditions[appsv1.DeploymentProgressing]; progress.Status == corev1.ConditionFalse {
		return progress.Message
	}
	available := conditions[appsv1.DeploymentAvailable]
	if available.Status == corev1.ConditionTrue {
		return ""
	}
	return cmp.Or(available.Message, "it has no status yet")
}
