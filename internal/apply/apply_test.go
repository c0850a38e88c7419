package apply

import (
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestObjectIsLeftAloneUntilSomebodyChangesIt(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*appsv1.Deployment)
		want   bool
	}{
		"as applied":                      {func(*appsv1.Deployment) {}, true},
		"with the API server's defaults":  {func(d *appsv1.Deployment) { d.Spec.Template.Spec.DNSPolicy = "ClusterFirst" }, true},
		"with an annotation of another":   {func(d *appsv1.Deployment) { d.Annotations["other"] = "x" }, true},
		"with a container of another":     {func(d *appsv1.Deployment) { containers(d, corev1.Container{Name: "sidecar"}) }, true},
		"with a sidecar before its own":   {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = before(d, "sidecar") }, true},
		"with a size written differently": {func(d *appsv1.Deployment) { limit(d, "1024Mi") }, true},
		"with a status":                   {func(d *appsv1.Deployment) { d.Status.Replicas = 3 }, true},
		"with another image":              {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "b" }, false},
		"without its container":           {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = nil }, false},
		"with a wider selector":           {func(d *appsv1.Deployment) { d.Spec.Selector.MatchLabels["other"] = "x" }, false},
		"without its label":               {func(d *appsv1.Deployment) { d.Labels = nil }, false},
		"started, though to be stopped":   {func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(1)) }, false},
		"privileged, though not to be":    {func(d *appsv1.Deployment) { privileged(d, true) }, false},
		"with another limit":              {func(d *appsv1.Deployment) { limit(d, "2Gi") }, false},
		"applied in another state":        {func(d *appsv1.Deployment) { d.Annotations[annotationApplied] = "x" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			object, err := marked(deployment())
			if err != nil {
				t.Fatal(err)
			}
			live := deployment()
			live.Annotations = object.GetAnnotations()
			test.change(live)
			got, err := isAsDesired(live, object)
			if err != nil || got != test.want {
				t.Errorf("as desired: %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestObjectOfAnotherOwnerIsNotTouched(t *testing.T) {
	for name, owners := range map[string][]metav1.OwnerReference{
		"nobody's":                 {},
		"another's":                {{APIVersion: "v1", Kind: "Function", Name: "other", UID: "2", Controller: new(true)}},
		"a former one's, of a UID": {{APIVersion: "v1", Kind: "Function", Name: "orders", UID: "2", Controller: new(true)}},
		"not as its controller":    {{APIVersion: "v1", Kind: "Function", Name: "orders", UID: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			live, desired := deployment(), deployment()
			live.OwnerReferences = owners
			desired.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Function", Name: "orders", UID: types.UID("1"), Controller: new(true)}}
			cluster := fake.NewClientBuilder().WithObjects(live).Build()
			_, err := (&Applier{Client: cluster, Live: cluster, Manager: "test"}).Apply(t.Context(), desired)
			if _, isForeign := errors.AsType[*ForeignError](err); !isForeign {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestObjectOfAUniqueNameIsNotLookedForBeyondTheCache(t *testing.T) {
	cluster := fake.NewClientBuilder().Build()
	// Without a reader beyond the cache.
	applier := &Applier{Client: cluster, Manager: "test"}
	for _, want := range []Result{Created, Unchanged} {
		if got, err := applier.ApplyUnique(t.Context(), deployment()); got != want || err != nil {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

// deployment is stopped and restricted: 0 and false are what is desired.
func deployment() *appsv1.Deployment {
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", Labels: map[string]string{"team": "shop"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "orders"}},
		},
	}
	containers(d, corev1.Container{Name: "function", Image: "a"})
	privileged(d, false)
	limit(d, "1Gi")
	return d
}

func containers(d *appsv1.Deployment, more ...corev1.Container) {
	d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, more...)
}

func before(d *appsv1.Deployment, name string) []corev1.Container {
	return append([]corev1.Container{{Name: name}}, d.Spec.Template.Spec.Containers...)
}

func privileged(d *appsv1.Deployment, is bool) {
	d.Spec.Template.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: &is}
}

func limit(d *appsv1.Deployment, memory string) {
	d.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}
}
