package workload_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/workload"
)

var update = flag.Bool("update", false, "write the golden files")

func TestObjectsOfAFunction(t *testing.T) {
	fn := newFunction()
	fn.Labels = map[string]string{"team": "orders", v1alpha2.LabelManagedBy: "somebody"}
	fn.Spec.Labels = map[string]string{"app": "shop", v1alpha2.LabelFunctionName: "other"}
	fn.Spec.Annotations = map[string]string{"note": "mine", "proxy.istio.io/config": "mine"}
	fn.Spec.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hi"}}
	fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "token", MountPath: "/run/token"}}
	fn.Spec.ScaleConfig = between(2, 5)
	for file, object := range map[string]any{
		"deployment.yaml":              deployment(fn, runtime.Runtime{Name: "nodejs22"}),
		"service.yaml":                 workload.Service(fn),
		"configmap.yaml":               workload.ConfigMap(fn, "{}"),
		"horizontalpodautoscaler.yaml": workload.HorizontalPodAutoscaler(fn, workload.Config{TargetCPUUtilization: 50}),
		"poddisruptionbudget.yaml":     workload.PodDisruptionBudget(fn),
	} {
		t.Run(file, func(t *testing.T) {
			got, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, file, got)
		})
	}
}

func TestSystemsVariablesComeLastAndWin(t *testing.T) {
	rt := runtime.Runtime{Name: "python313", Language: runtime.Language{Env: []corev1.EnvVar{{Name: "PYTHONUNBUFFERED", Value: "TRUE"}}}}
	for name, test := range map[string]struct {
		env  []corev1.EnvVar
		want []string
	}{
		"none of the user's": {nil, []string{}},
		"the user's come first, in their order": {
			[]corev1.EnvVar{{Name: "Z", Value: "1"}, {Name: "A", Value: "2"}}, []string{"Z=1", "A=2"}},
		"a system's name in the user's is dropped": {
			[]corev1.EnvVar{{Name: "FUNC_NAME", Value: "mine"}, {Name: "A", Value: "2"}}, []string{"A=2"}},
		"of a name that comes twice the last counts": {
			[]corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "A", Value: "3"}}, []string{"B=2", "A=3"}},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction()
			fn.Spec.Env = test.env
			var got []string
			for _, variable := range deployment(fn, rt).Spec.Template.Spec.Containers[0].Env {
				got = append(got, variable.Name+"="+variable.Value)
			}
			want := slices.Concat(test.want, []string{
				"FUNC_RUNTIME=python313", "PYTHONUNBUFFERED=TRUE", "FUNC_NAME=orders", "SERVICE_NAMESPACE=shop",
				"TRACE_COLLECTOR_ENDPOINT=http://traces/v1/traces", "PUBLISHER_PROXY_ADDRESS=http://events/publish",
				"FUNC_HANDLER=main", "MOD_NAME=handler", "FUNC_PORT=8080",
			})
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestPodIsRestricted(t *testing.T) {
	fn := newFunction()
	fn.Spec.SecretMounts = []v1alpha2.SecretMount{{SecretName: "token", MountPath: "/run/token"}}
	template := deployment(fn, runtime.Runtime{Name: "nodejs22"}).Spec.Template
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if container := template.Spec.Containers[0]; !*container.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root filesystem can be written to")
	}
}

func TestUsersSecuritySettingsLeaveTheOtherDefaults(t *testing.T) {
	fn := newFunction()
	fn.Spec.PodSecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To(int64(7))}
	fn.Spec.ContainerSecurityContext = &corev1.SecurityContext{
		ReadOnlyRootFilesystem: ptr.To(false), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}},
	}
	pod := deployment(fn, runtime.Runtime{}).Spec.Template.Spec
	wantPod := workload.RestrictedPod()
	wantPod.RunAsUser = ptr.To(int64(7))
	if !reflect.DeepEqual(pod.SecurityContext, wantPod) {
		t.Errorf("the Pod has %v", pod.SecurityContext)
	}
	want := workload.RestrictedContainer()
	want.ReadOnlyRootFilesystem, want.Capabilities.Add = ptr.To(false), []corev1.Capability{"NET_BIND_SERVICE"}
	if got := pod.Containers[0].SecurityContext; !reflect.DeepEqual(got, want) {
		t.Errorf("the container has %v", got)
	}
}

func TestChildrensNamesAreTheFunctionsAndStay(t *testing.T) {
	fn, again := newFunction(), newFunction()
	if workload.ChildName(fn) != workload.ChildName(again) {
		t.Errorf("%s, then %s", workload.ChildName(fn), workload.ChildName(again))
	}
	if name, found := strings.CutPrefix(workload.ChildName(fn), "orders-"); !found || len(name) != 5 {
		t.Errorf("got %s, want orders-xxxxx", workload.ChildName(fn))
	}
	again.UID = "another-function-of-the-same-name"
	if workload.ChildName(fn) == workload.ChildName(again) {
		t.Error("a Function created anew has its predecessor's child")
	}
}

func deployment(fn *v1alpha2.Function, rt runtime.Runtime) *appsv1.Deployment {
	return workload.Deployment(fn, rt, "localhost:32137/shop__orders@sha256:0123", corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
	}, workload.Config{
		ServiceAccount: "serverless-function", TraceCollectorEndpoint: "http://traces/v1/traces", PublisherProxyAddress: "http://events/publish",
	})
}

func newFunction() *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "shop", UID: "11111111-2222-3333-4444-555555555555"},
		Spec: v1alpha2.FunctionSpec{
			Runtime: "nodejs22",
			Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: "module.exports = {main: () => 'hi'}"}},
		},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; go test -update writes it:\n%s", file, got)
	}
}
