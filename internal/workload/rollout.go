package workload

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Rollout tells whether the Deployment's Pods serve, as the condition Running
// (contract/functions.md 3.1). Pods are those of the Function.
func Rollout(deployment *appsv1.Deployment, pods []corev1.Pod) v1alpha2.Condition {
	condition := v1alpha2.Condition{Type: v1alpha2.ConditionRunning, Status: corev1.ConditionUnknown}
	status := deployment.Status
	desired := ptr.Deref(deployment.Spec.Replicas, 1)
	complete := status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == desired &&
		status.Replicas == desired && status.AvailableReplicas == desired
	if complete {
		condition.Status, condition.Reason = corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady
		condition.Message = fmt.Sprintf("Deployment %s is ready", deployment.Name)
		return condition
	}
	if failure := failure(deployment, pods); failure != "" {
		condition.Status, condition.Reason = corev1.ConditionFalse, v1alpha2.ReasonDeploymentFailed
		condition.Message = fmt.Sprintf("Deployment %s failed: %s", deployment.Name, failure)
		switch {
		case status.AvailableReplicas > 0 && status.Replicas > status.UpdatedReplicas:
			condition.Message += "; the former revision keeps serving"
		case status.AvailableReplicas > 0:
			condition.Message += fmt.Sprintf("; %d of %d replicas serve", status.AvailableReplicas, desired)
		}
		return condition
	}
	if status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == desired && unavailable(deployment) {
		condition.Reason = v1alpha2.ReasonMinReplicasNotAvailable
		condition.Message = fmt.Sprintf("Minimum replicas not available for deployment %s", deployment.Name)
	} else {
		condition.Reason = v1alpha2.ReasonDeploymentWaiting
		condition.Message = Waiting(deployment.Name)
	}
	return condition
}

// Waiting is the message while the Deployment's Pods don't serve yet
// (contract/functions.md 2.5).
func Waiting(deployment string) string {
	return fmt.Sprintf("Deployment %s is not ready yet", deployment)
}

// failure is the reason why new Pods can't run, or "": the Pods' own, that of
// the API server, which refuses them for a quota or for the namespace's Pod
// Security Standard, or that they take too long.
func failure(deployment *appsv1.Deployment, pods []corev1.Pod) string {
	if reason := podFailure(deployment.Labels[v1alpha2.LabelFunctionName], pods); reason != "" {
		return reason
	}
	if deployment.Status.ObservedGeneration < deployment.Generation {
		return ""
	}
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return condition.Message
		}
		if condition.Type == appsv1.DeploymentProgressing && condition.Reason == "ProgressDeadlineExceeded" {
			return "its Pods were not ready in time"
		}
	}
	return ""
}

func unavailable(deployment *appsv1.Deployment) bool {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			return condition.Status == corev1.ConditionFalse
		}
	}
	return false
}

// podFailure is the reason why one of the Function's Pods can't run, or "".
func podFailure(function string, pods []corev1.Pod) string {
	for i := range pods {
		pod := &pods[i]
		if IsReplaced(pod) {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == Container && !status.Ready {
				if failure := containerFailure(function, status); failure != "" {
					return failure
				}
			}
		}
		if reason := WaitingReason(pod); reason != "" {
			return reason
		}
	}
	return ""
}

func containerFailure(function string, status corev1.ContainerStatus) string {
	ended := status.State.Terminated
	if ended == nil {
		ended = status.LastTerminationState.Terminated
	}
	if ended == nil || ended.ExitCode == 0 {
		return ""
	}
	if ended.Reason == "OOMKilled" {
		return "it ran out of memory; choose a larger profile in spec.resourceConfiguration.function"
	}
	if message := strings.TrimSpace(ended.Message); message != "" {
		first, _, _ := strings.Cut(message, "\n")
		return Quote(strings.TrimSpace(first)) + "; correct the Function's code"
	}
	return fmt.Sprintf("its container ended with exit code %d; its log says why: kubectl logs -l %s=%s -c %s --previous",
		ended.ExitCode, v1alpha2.LabelFunctionName, function, Container)
}

// stuck are the reasons of a waiting container that don't go away by themselves.
var stuck = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "CreateContainerConfigError": true,
	"CreateContainerError": true, "RunContainerError": true,
}

// ImageMissing tells whether a node couldn't get the image of one of the Pods.
func ImageMissing(pods []corev1.Pod) bool {
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil && (waiting.Reason == "ErrImagePull" || waiting.Reason == "ImagePullBackOff") {
				return true
			}
		}
	}
	return false
}

// IsReplaced tells whether the Pod is going, or was evicted by its node, so that
// another one takes its place; that one tells what is wrong now.
func IsReplaced(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed
}

// WaitingReason tells what keeps the Pod from starting, or "" if nothing does.
func WaitingReason(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "Pod " + pod.Name + " can't be scheduled: " + condition.Message
		}
	}
	for _, status := range append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		if waiting := status.State.Waiting; waiting != nil && stuck[waiting.Reason] {
			return fmt.Sprintf("Pod %s: %s: %s", pod.Name, waiting.Reason, waiting.Message)
		}
	}
	return ""
}
