package installation

import (
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWhyUnready(t *testing.T) {
	condition := func(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, message string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: kind, Status: status, Message: message}
	}
	available := condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "fine")
	unavailable := condition(appsv1.DeploymentAvailable, corev1.ConditionFalse, "no replicas")
	for _, test := range []struct {
		name   string
		status appsv1.DeploymentStatus
		want   string
	}{
		{"not observed", appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{available}}, "its change is not observed yet"},
		{"no status", appsv1.DeploymentStatus{ObservedGeneration: 1}, "it has no status yet"},
		{"unavailable", appsv1.DeploymentStatus{ObservedGeneration: 1, Conditions: []appsv1.DeploymentCondition{unavailable}}, "no replicas"},
		{"pods refused", appsv1.DeploymentStatus{ObservedGeneration: 1, Conditions: []appsv1.DeploymentCondition{
			unavailable, condition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "quota exceeded")}}, "quota exceeded"},
		{"stuck, the former one runs", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, AvailableReplicas: 2,
			Conditions: []appsv1.DeploymentCondition{available, condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "deadline exceeded")}},
			"deadline exceeded"},
		{"one updated", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 2,
			Conditions: []appsv1.DeploymentCondition{available}}, "1 of 2 replicas are updated"},
		{"a former one left", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2,
			Conditions: []appsv1.DeploymentCondition{available}}, "1 former replicas still run"},
		{"one not ready", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1,
			Conditions: []appsv1.DeploymentCondition{available}}, "1 of 2 replicas are available"},
		{"complete", appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2,
			Conditions: []appsv1.DeploymentCondition{available}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Generation: 1}, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2))}, Status: test.status,
			}
			if got := whyUnready(deployment); got != test.want {
				t.Errorf("why %q, want %q", got, test.want)
			}
		})
	}
}

func TestPodTrouble(t *testing.T) {
	pod := func(status corev1.ContainerStatus) corev1.Pod {
		status.Name = "manager"
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kyma-system", Name: "p"},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}},
		}
	}
	terminated := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error"}}
	}
	backOff := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	ended := "Pod p: container manager ended with exit code 2 (Error); its log says why: kubectl logs -n kyma-system p -c manager --previous"
	going := pod(corev1.ContainerStatus{State: terminated(2)})
	going.DeletionTimestamp = &metav1.Time{}
	evicted := pod(corev1.ContainerStatus{State: terminated(137)})
	evicted.Status.Phase, evicted.Status.Reason = corev1.PodFailed, "Evicted"
	unschedulable := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}}}
	for _, test := range []struct {
		name string
		pods []corev1.Pod
		want string
	}{
		{"none", nil, ""},
		{"starting", []corev1.Pod{pod(corev1.ContainerStatus{})}, ""},
		{"no image", []corev1.Pod{pod(corev1.ContainerStatus{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}})}, "Pod p: ImagePullBackOff: no such image"},
		{"no node", []corev1.Pod{unschedulable}, "Pod p can't be scheduled: 0/1 nodes are available"},
		{"evicted, and no node for the next one", []corev1.Pod{evicted, unschedulable}, "Pod p can't be scheduled: 0/1 nodes are available"},
		{"evicted, and the next one is starting", []corev1.Pod{evicted, pod(corev1.ContainerStatus{})}, ""},
		{"ended", []corev1.Pod{pod(corev1.ContainerStatus{State: terminated(2)})}, ended},
		{"crash loop", []corev1.Pod{pod(corev1.ContainerStatus{State: backOff, LastTerminationState: terminated(2)})}, ended},
		{"recovered", []corev1.Pod{pod(corev1.ContainerStatus{Ready: true, LastTerminationState: terminated(2)})}, ""},
		{"going", []corev1.Pod{going}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := podTrouble(test.pods); got != test.want {
				t.Errorf("trouble %q, want %q", got, test.want)
			}
		})
	}
}

func TestRefusalsAreNamedAndCounted(t *testing.T) {
	errs := []error{errors.New("a"), errors.New("b"), errors.New("c"), errors.New("d"), errors.New("e")}
	for count, want := range map[int]string{1: "a", 3: "a; b; c", 5: "a; b; c; and 2 more objects"} {
		if got := summarize(errs[:count]); got.Error() != want || !errors.Is(got, errs[0]) {
			t.Errorf("summary of %d: %q, want %q", count, got, want)
		}
	}
	if err := summarize(nil); err != nil {
		t.Errorf("summary of nothing: %v", err)
	}
}

func TestSurplusIsWhatIsNoLongerRendered(t *testing.T) {
	object := func(apiVersion, kind, name string) metav1.PartialObjectMetadata {
		object := metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}}
		object.Namespace, object.Name = "kyma-system", name
		return object
	}
	rendered := &unstructured.Unstructured{}
	rendered.SetAPIVersion("apps/v2")
	rendered.SetKind("Deployment")
	rendered.SetNamespace("kyma-system")
	rendered.SetName("a")

	got := surplus([]metav1.PartialObjectMetadata{
		object("apps/v1", "Deployment", "a"),
		object("apps/v1", "Deployment", "b"),
		object("v1", "Service", "a"),
	}, []*unstructured.Unstructured{rendered})
	if len(got) != 2 || got[0].Name != "b" || got[1].Kind != "Service" {
		t.Errorf("surplus %+v, want Deployment b and Service a", got)
	}
}

func TestWhatCarriesOnlyOurLabelsIsNotOurs(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation}
	}
	for _, test := range []struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		{nil, false},
		{[]metav1.ManagedFieldsEntry{entry("function-controller", metav1.ManagedFieldsOperationApply)}, false},
		{[]metav1.ManagedFieldsEntry{entry(FieldManager, metav1.ManagedFieldsOperationUpdate)}, false},
		{[]metav1.ManagedFieldsEntry{entry("kubectl-edit", metav1.ManagedFieldsOperationUpdate), entry(FieldManager, metav1.ManagedFieldsOperationApply)}, true},
	} {
		if got := applied(&metav1.ObjectMeta{ManagedFields: test.entries}); got != test.want {
			t.Errorf("applied %v with %v, want %v", got, test.entries, test.want)
		}
	}
}
