package workload_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

func TestRunningSaysHowTheRolloutGoes(t *testing.T) {
	ready := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
	surging := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 2}
	starting := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2}
	for name, test := range map[string]struct {
		replicas   int32
		status     appsv1.DeploymentStatus
		conditions []appsv1.DeploymentCondition
		pods       []corev1.Pod
		want       v1alpha2.Condition
	}{
		"all are new and answer": {
			replicas: 2, status: ready,
			want: running("True", "DeploymentReady", "Deployment d is ready"),
		},
		"scaled to 0": {
			replicas: 0, status: appsv1.DeploymentStatus{ObservedGeneration: 2},
			want: running("True", "DeploymentReady", "Deployment d is ready"),
		},
		"on the way to 0": {
			replicas: 0, status: ready,
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"all answer, but of the generation before": {
			replicas: 2, status: withGeneration(ready, 1),
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"old ones still answer beside the new": {
			replicas: 2, status: surging,
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"nothing observed yet": {
			replicas: 1,
			want:     running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"too few are available": {
			replicas: 2, status: starting,
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: "False", Reason: "MinimumReplicasUnavailable"}},
			want:       running("Unknown", "MinReplicasNotAvailable", "Minimum replicas not available for deployment d"),
		},
		"one was evicted, and the next one is starting": {
			replicas: 2, status: starting,
			pods: []corev1.Pod{evicted(), pod()},
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"one was evicted, and there is no node for the next one": {
			replicas: 2, status: starting,
			pods: []corev1.Pod{evicted(), unschedulable("1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }")},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: Pod p can't be scheduled: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"),
		},
		"the API server refuses the new ones": {
			replicas: 2, status: surging,
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: "True", Message: "pods \"d-1\" is forbidden: violates PodSecurity"}},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: pods \"d-1\" is forbidden: violates PodSecurity; the former revision keeps serving"),
		},
		"scaled up beyond what the cluster holds": {
			replicas: 4, status: appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3},
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: "True", Message: "exceeded quota"}},
			want:       running("False", "DeploymentFailed", "Deployment d failed: exceeded quota; 3 of 4 replicas serve"),
		},
		"the API server refused those of the generation before": {
			replicas: 2, status: withGeneration(surging, 1),
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: "True", Message: "exceeded quota"}},
			want:       running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"crash loop with last words": {
			replicas: 2, status: surging,
			pods: []corev1.Pod{crashing("Error", "SyntaxError: Unexpected token\n    at handler.js:3\n")},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: SyntaxError: Unexpected token; correct the Function's code; the former revision keeps serving"),
		},
		"crash loop with more words than a condition takes": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{crashing("Error", "Error: "+strings.Repeat("ü", 2000))},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: Error: "+strings.Repeat("ü", 346)+"…; correct the Function's code"),
		},
		"crash loop without a word": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{crashing("Error", "")},
			want: running("False", "DeploymentFailed", "Deployment d failed: its container ended with exit code 137; "+
				"its log says why: kubectl logs -l serverless.kyma-project.io/function-name=orders -c function --previous"),
		},
		"out of memory": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{crashing("OOMKilled", "")},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: it ran out of memory; choose a larger profile in spec.resourceConfiguration.function"),
		},
		"image that can't be pulled": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{waiting("ImagePullBackOff", "Back-off pulling image")},
			want: running("False", "DeploymentFailed", "Deployment d failed: Pod p: ImagePullBackOff: Back-off pulling image"),
		},
		"Secret that does not exist": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{waiting("CreateContainerConfigError", `secret "token" not found`)},
			want: running("False", "DeploymentFailed", `Deployment d failed: Pod p: CreateContainerConfigError: secret "token" not found`),
		},
		"container that is just being created": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{waiting("ContainerCreating", "")},
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"no node has room": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{unschedulable("0/1 nodes are available: 1 Insufficient cpu.")},
			want: running("False", "DeploymentFailed",
				"Deployment d failed: Pod p can't be scheduled: 0/1 nodes are available: 1 Insufficient cpu."),
		},
		"a failing Pod that is going away": {
			replicas: 1, status: starting,
			pods: []corev1.Pod{deleted(crashing("Error", "old"))},
			want: running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
		"too late": {
			replicas: 1, status: starting,
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded"}},
			want:       running("False", "DeploymentFailed", "Deployment d failed: its Pods were not ready in time"),
		},
		"the generation before was too late": {
			replicas: 1, status: withGeneration(starting, 1),
			conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded"}},
			want:       running("Unknown", "DeploymentWaiting", "Deployment d is not ready yet"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.status.Conditions = test.conditions
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "d", Generation: 2, Labels: map[string]string{v1alpha2.LabelFunctionName: "orders"}},
				Spec:       appsv1.DeploymentSpec{Replicas: ptr.To(test.replicas)},
				Status:     test.status,
			}
			if got := workload.Rollout(deployment, test.pods); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestImageThatNodesCannotGetIsNoticed(t *testing.T) {
	for reason, want := range map[string]bool{"ErrImagePull": true, "ImagePullBackOff": true, "CrashLoopBackOff": false, "ContainerCreating": false} {
		if got := workload.ImageMissing([]corev1.Pod{{}, waiting(reason, "")}); got != want {
			t.Errorf("%s: %v", reason, got)
		}
	}
}

func running(status corev1.ConditionStatus, reason v1alpha2.ConditionReason, message string) v1alpha2.Condition {
	return v1alpha2.Condition{Type: v1alpha2.ConditionRunning, Status: status, Reason: reason, Message: message}
}

func withGeneration(status appsv1.DeploymentStatus, generation int64) appsv1.DeploymentStatus {
	status.ObservedGeneration = generation
	return status
}

func crashing(reason, message string) corev1.Pod {
	return pod(corev1.ContainerStatus{
		Name:                 workload.Container,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: reason, Message: message}},
	})
}

func waiting(reason, message string) corev1.Pod {
	return pod(corev1.ContainerStatus{
		Name: workload.Container, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	})
}

func unschedulable(message string) corev1.Pod {
	unscheduled := pod()
	unscheduled.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: "False", Reason: "Unschedulable", Message: message}}
	return unscheduled
}

// evicted is a Pod that its node ended, as under memory or disk pressure.
func evicted() corev1.Pod {
	evicted := pod(corev1.ContainerStatus{Name: workload.Container,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137}}})
	evicted.Status.Phase, evicted.Status.Reason = corev1.PodFailed, "Evicted"
	return evicted
}

func deleted(pod corev1.Pod) corev1.Pod {
	pod.DeletionTimestamp = ptr.To(metav1.Now())
	return pod
}

func pod(statuses ...corev1.ContainerStatus) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{ContainerStatuses: statuses}}
}
