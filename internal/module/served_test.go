package module_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

func TestServed(t *testing.T) {
	resource := func(name string, age time.Duration, served v1alpha1.Served) v1alpha1.Serverless {
		created := metav1.NewTime(time.Unix(1_000_000, 0).Add(-age))
		return v1alpha1.Serverless{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kyma-system", Name: name, CreationTimestamp: created},
			Status:     v1alpha1.ServerlessStatus{Served: served},
		}
	}
	going := resource("going", time.Hour, v1alpha1.ServedFalse)
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(1_000_000, 0)}
	for _, test := range []struct {
		name string
		all  []v1alpha1.Serverless
		want string
	}{
		{"none", nil, ""},
		{"the only one", []v1alpha1.Serverless{resource("a", 0, "")}, "a"},
		{"the one served already, although it is younger", []v1alpha1.Serverless{
			resource("old", time.Hour, v1alpha1.ServedFalse), resource("young", 0, v1alpha1.ServedTrue)}, "young"},
		{"the oldest when none is served", []v1alpha1.Serverless{
			resource("a", 0, ""), resource("b", time.Hour, v1alpha1.ServedFalse)}, "b"},
		{"one that stays, although an older one is going", []v1alpha1.Serverless{going, resource("b", 0, v1alpha1.ServedFalse)}, "b"},
		{"the first by name among equally old ones", []v1alpha1.Serverless{resource("b", 0, ""), resource("a", 0, "")}, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if served := module.Served(test.all); served != nil {
				got = served.Name
			}
			if got != test.want {
				t.Errorf("served %q, want %q", got, test.want)
			}
		})
	}
}
