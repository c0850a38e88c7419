package manifest_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/ssa/utils"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"kyma-project.io/serverless/internal/manifest"
)

func TestOperatorRunsWithThePriorityThatTheManifestBrings(t *testing.T) {
	operator := only[appsv1.Deployment](t, "Deployment")[0]
	classes := only[schedulingv1.PriorityClass](t, "PriorityClass")
	if name := operator.Spec.Template.Spec.PriorityClassName; len(classes) != 1 || classes[0].Name != name || name != "serverless-operator-priority" {
		t.Errorf("the operator has priority %q of %v", name, classes)
	}
}

func TestNetworkPoliciesAreTheOperators(t *testing.T) {
	pod := only[appsv1.Deployment](t, "Deployment")[0].Spec.Template
	policies := only[networkingv1.NetworkPolicy](t, "NetworkPolicy")
	if len(policies) != 3 {
		t.Errorf("%d policies", len(policies))
	}
	for _, policy := range policies {
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(policy.Name, "kyma-project.io--serverless-operator-allow-") || policy.Namespace != "kyma-system" {
			t.Errorf("a policy is %s/%s", policy.Namespace, policy.Name)
		}
		if !selector.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s is not about the operator: %s", policy.Name, selector)
		}
	}
}

// The labels are those of which Kubernetes makes its roles for users.
func TestUsersGetPermissionsWithTheRolesOfKubernetes(t *testing.T) {
	for _, test := range []struct {
		role  string
		verbs []string
	}{
		{"view", []string{"get", "list", "watch"}},
		{"edit", []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}},
		{"admin", []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}},
	} {
		for _, resource := range []string{"functions", "serverlesses"} {
			var verbs []string
			for _, role := range only[rbacv1.ClusterRole](t, "ClusterRole") {
				if role.Labels["rbac.authorization.k8s.io/aggregate-to-"+test.role] != "true" {
					continue
				}
				for _, rule := range role.Rules {
					if slices.Contains(rule.Resources, resource) {
						verbs = append(verbs, rule.Verbs...)
					}
				}
			}
			if !slices.Equal(verbs, test.verbs) {
				t.Errorf("%s may %v %s, want %v", test.role, verbs, resource, test.verbs)
			}
		}
	}
}

// only returns the manifest's objects of a kind.
func only[T any](t *testing.T, kind string) []T {
	t.Helper()
	text, err := manifest.Render(manifest.Options{Config: filepath.Join("..", "..", "config", "default"), Registry: "registry.test", Tag: "1"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := utils.ReadObjects(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	var found []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			t.Fatal(err)
		}
		found = append(found, typed)
	}
	return found
}
