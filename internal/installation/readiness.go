package installation

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/workload"
)

// Unready tells which of the rendered objects are not ready, and why.
func (i *Installation) Unready(ctx context.Context, rendered []*unstructured.Unstructured) ([]string, error) {
	var unready, unbound []string
	for _, object := range rendered {
		var why string
		var err error
		switch object.GetKind() {
		case "Deployment":
			if why, err = i.unreadyDeployment(ctx, client.ObjectKeyFromObject(object)); why != "" {
				unready = append(unready, fmt.Sprintf("Deployment %s: %s", object.GetName(), why))
			}
		case "PersistentVolumeClaim":
			if why, err = i.unboundClaim(ctx, client.ObjectKeyFromObject(object)); why != "" {
				unbound = append(unbound, fmt.Sprintf("PersistentVolumeClaim %s: %s", object.GetName(), why))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if len(unready) == 0 {
		// A claim matters only to the Pods that wait for it.
		return nil, nil
	}
	return append(unready, unbound...), nil
}

func (i *Installation) unreadyDeployment(ctx context.Context, key client.ObjectKey) (string, error) {
	deployment := &appsv1.Deployment{}
	if err := i.live.Get(ctx, key, deployment); err != nil {
		return "", fmt.Errorf("get Deployment %s: %w", key, err)
	}
	why := whyUnready(deployment)
	if why == "" {
		return "", nil
	}
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return "", fmt.Errorf("read selector of Deployment %s: %w", key, err)
	}
	pods := &corev1.PodList{}
	if err := i.live.List(ctx, pods, client.InNamespace(key.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return "", fmt.Errorf("list Pods of Deployment %s: %w", key, err)
	}
	return cmp.Or(podTrouble(pods.Items), why), nil
}

// whyUnready says why a Deployment doesn't run as it is to; it is empty if all
// of its Pods do, and those of its former state are gone.
func whyUnready(deployment *appsv1.Deployment) string {
	status := deployment.Status
	if status.ObservedGeneration < deployment.Generation {
		return "its change is not observed yet"
	}
	conditions := map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition{}
	for _, condition := range status.Conditions {
		conditions[condition.Type] = condition
	}
	// The causes that say more come first.
	if failure := conditions[appsv1.DeploymentReplicaFailure]; failure.Status == corev1.ConditionTrue {
		return failure.Message
	}
	if progress := conditions[appsv1.DeploymentProgressing]; progress.Status == corev1.ConditionFalse {
		return progress.Message
	}
	if available := conditions[appsv1.DeploymentAvailable]; available.Status != corev1.ConditionTrue {
		return cmp.Or(available.Message, "it has no status yet")
	}
	desired := ptr.Deref(deployment.Spec.Replicas, 1)
	switch {
	case status.UpdatedReplicas < desired:
		return fmt.Sprintf("%d of %d replicas are updated", status.UpdatedReplicas, desired)
	case status.Replicas > status.UpdatedReplicas:
		return fmt.Sprintf("%d former replicas still run", status.Replicas-status.UpdatedReplicas)
	case status.AvailableReplicas < status.UpdatedReplicas:
		return fmt.Sprintf("%d of %d replicas are available", status.AvailableReplicas, desired)
	}
	return ""
}

// podTrouble names the first Pod that can't run, and says why; it is empty if
// there is none.
func podTrouble(pods []corev1.Pod) string {
	for i := range pods {
		pod := &pods[i]
		if workload.IsReplaced(pod) {
			continue
		}
		if reason := workload.WaitingReason(pod); reason != "" {
			return workload.Quote(reason)
		}
		for _, container := range pod.Status.ContainerStatuses {
			ended := cmp.Or(container.State.Terminated, container.LastTerminationState.Terminated)
			if !container.Ready && ended != nil && ended.ExitCode != 0 {
				return fmt.Sprintf("Pod %s: container %s ended with exit code %d (%s); its log says why: kubectl logs -n %s %s -c %s --previous",
					pod.Name, container.Name, ended.ExitCode, ended.Reason, pod.Namespace, pod.Name, container.Name)
			}
		}
	}
	return ""
}

// unboundClaim says why nothing provides a volume for a claim, as far as the
// claim itself tells: the API server fills in the default storage class.
func (i *Installation) unboundClaim(ctx context.Context, key client.ObjectKey) (string, error) {
	claim := &corev1.PersistentVolumeClaim{}
	if err := i.live.Get(ctx, key, claim); err != nil {
		return "", fmt.Errorf("get volume claim %s: %w", key, err)
	}
	if claim.Status.Phase == corev1.ClaimPending && claim.Spec.StorageClassName == nil && claim.Spec.VolumeName == "" {
		return "the cluster has no default storage class; make one the default, " +
			"or name the Secret of another registry in spec.dockerRegistry.secretName", nil
	}
	return "", nil
}
