package installation

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/module"
)

// extras are what the operator needs besides keeping the chart's objects.
var extras = []rbacv1.PolicyRule{
	// Its own resource: the finalizer and the status are patched.
	{APIGroups: []string{"operator.kyma-project.io"}, Resources: []string{"serverlesses"}, Verbs: []string{"list", "watch", "patch"}},
	{APIGroups: []string{"operator.kyma-project.io"}, Resources: []string{"serverlesses/status"}, Verbs: []string{"patch"}},
	// Presets depend on their number.
	{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"list"}},
	// Its leader election; the chart's roles happen to have it, too.
	{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
	// Why a Deployment isn't ready, likewise.
	{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
	// The function controllers' goes with the module.
	{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{module.ControllerLeaseName}, Verbs: []string{"delete"}},
	// The original's builds.
	{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"list", "delete"}},
	// Its events, likewise.
	{APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
}

// The API server lets nobody grant a permission that they don't have, so the
// operator has those of the chart's roles, too; `escalate` would be all.
func TestOperatorMayDoWhatItNeedsAndNoMore(t *testing.T) {
	needed := permissions{}
	for _, rule := range extras {
		needed.add(rule)
	}
	for _, kind := range Kinds {
		needed.add(ruleFor(kind, "list", "watch", "delete"))
	}
	for _, kind := range OptionalKinds {
		needed.add(ruleFor(kind, "list", "delete"))
	}
	for _, object := range renderAll(t) {
		needed.add(ruleFor(object.GroupVersionKind(), "get", "create", "patch"))
		for _, rule := range granted(t, object) {
			needed.add(rule)
		}
	}
	present := permissions{}
	for _, rule := range operatorRole(t).Rules {
		present.add(rule)
	}
	for _, missing := range needed.without(present) {
		t.Errorf("config/rbac/role.yaml lacks %s", missing)
	}
	for _, surplus := range present.without(needed) {
		t.Errorf("config/rbac/role.yaml has %s, which nothing needs", surplus)
	}
}

// permission is one verb on one resource; without a name, on all of it.
type permission struct{ group, resource, name, verb string }

func (p permission) String() string {
	return fmt.Sprintf("%s on %s", p.verb, cmp.Or(p.group, "core")+"/"+p.resource+" "+cmp.Or(p.name, "of any name"))
}

type permissions map[permission]bool

func (p permissions) add(rule rbacv1.PolicyRule) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					p[permission{group, resource, name, verb}] = true
				}
			}
		}
	}
}

// without returns those that the others don't cover.
func (p permissions) without(others permissions) []permission {
	var rest []permission
	for _, one := range slices.SortedFunc(maps.Keys(p), func(a, b permission) int { return cmp.Compare(a.String(), b.String()) }) {
		all := one
		all.name = ""
		if !others[one] && !others[all] {
			rest = append(rest, one)
		}
	}
	return rest
}

func ruleFor(kind schema.GroupVersionKind, verbs ...string) rbacv1.PolicyRule {
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	return rbacv1.PolicyRule{APIGroups: []string{kind.Group}, Resources: []string{resource.Resource}, Verbs: verbs}
}

// granted are the rules that an object gives to others.
func granted(t *testing.T, object *unstructured.Unstructured) []rbacv1.PolicyRule {
	t.Helper()
	if object.GetKind() != "ClusterRole" && object.GetKind() != "Role" {
		return nil
	}
	var role rbacv1.ClusterRole
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

func operatorRole(t *testing.T) *rbacv1.ClusterRole {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		t.Fatal(err)
	}
	return role
}
