package installation

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWhyUnavailable(t *testing.T) {
	condition := func(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, message string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: kind, Status: status, Message: message}
	}
	for _, test := range []struct {
		name       string
		observed   int64
		conditions []appsv1.DeploymentCondition
		want       string
	}{
		{"not observed", 0, nil, "its change is not observed yet"},
		{"no status", 1, nil, "it has no status yet"},
		{"available", 1, []appsv1.DeploymentCondition{condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "fine")}, ""},
		{"available before", 0, []appsv1.DeploymentCondition{condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "fine")},
			"its change is not observed yet"},
		{"unavailable", 1, []appsv1.DeploymentCondition{condition(appsv1.DeploymentAvailable, corev1.ConditionFalse, "no replicas")}, "no replicas"},
		{"pods refused", 1, []appsv1.DeploymentCondition{
			condition(appsv1.DeploymentAvailable, corev1.ConditionFalse, "no replicas"),
			condition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "quota exceeded")}, "quota exceeded"},
		{"stuck, the former one runs", 1, []appsv1.DeploymentCondition{
			condition(appsv1.DeploymentAvailable, corev1.ConditionTrue, "fine"),
			condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "deadline exceeded")}, "deadline exceeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Generation: 1},
				Status:     appsv1.DeploymentStatus{ObservedGeneration: test.observed, Conditions: test.conditions},
			}
			if got := whyUnavailable(deployment); got != test.want {
				t.Errorf("why %q, want %q", got, test.want)
			}
		})
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
