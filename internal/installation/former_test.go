package installation

import (
	"encoding/json"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestFormerObjectsAreWhatTheRecordLists(t *testing.T) {
	record := func(manifest string) string {
		text, err := json.Marshal(map[string]string{"ManagerUID": "1", "Manifest": manifest})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, test := range map[string]struct {
		record string
		want   []string
		fails  bool
	}{
		"of several documents": {record: record(
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: there}\n---\n" +
				"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: there}\n"), want: []string{"ConfigMap there/a", "Deployment there/b"}},
		"without a namespace":  {record: record("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"), want: []string{"Secret here/a"}},
		"in no namespace":      {record: record("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"), want: []string{"ClusterRole /a"}},
		"of a former version":  {record: record("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n"), want: []string{"PodDisruptionBudget here/a"}},
		"but no definition":    {record: record("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n")},
		"but of no other kind": {record: record("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")},
		"of an empty manifest": {record: record("")},
		"unless it is no JSON": {record: "spec", fails: true},
		"unless it is empty":   {record: "", fails: true},
		"unless it is no YAML": {record: record("kind: ["), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := formerObjects([]byte(test.record), "here")
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			var got []string
			for _, object := range objects {
				got = append(got, object.Kind+" "+object.Namespace+"/"+object.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFormerBuildsAreToldFromOurs(t *testing.T) {
	for name, test := range map[string]struct {
		container  string
		conditions []batchv1.JobCondition
		isFormer   bool
		hasEnded   bool
	}{
		"ours":      {container: "push"},
		"running":   {container: "executor", isFormer: true},
		"ended":     {container: "executor", conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: "True"}}, isFormer: true, hasEnded: true},
		"failed":    {container: "executor", conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: "True"}}, isFormer: true, hasEnded: true},
		"suspended": {container: "executor", conditions: []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: "True"}}, isFormer: true},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{}
			job.Spec.Template.Spec.Containers = []corev1.Container{{Name: test.container}}
			job.Status.Conditions = test.conditions
			if isFormerBuild(job) != test.isFormer || hasEnded(job) != test.hasEnded {
				t.Errorf("former: %v, ended: %v", isFormerBuild(job), hasEnded(job))
			}
		})
	}
}
