package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/workload"
)

func TestChartTellsTheControllerWhatTheServerlessResourceSays(t *testing.T) {
	o, err := parseOptions(chartArgs(t, module.Configuration{
		Presets: module.Presets{BuildJob: "fast", RuntimePod: "M"},
		Spec:    v1alpha1.ServerlessSpec{TargetCPUUtilizationPercentage: "70", FunctionBuildMaxSimultaneousJobs: "3"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	resources, name := o.profiles.Function.Resolve(nil)
	if cpu := resources.Requests.Cpu().String(); name != "M" || cpu != "200m" {
		t.Errorf("a Function that asks for nothing gets %s with CPU %s", name, cpu)
	}
	if _, name := o.profiles.BuildJob.Resolve(nil); name != "fast" {
		t.Errorf("its build gets %s", name)
	}
	bounds := &v1alpha2.ScaleConfig{MinReplicas: new(int32(1)), MaxReplicas: new(int32(2))}
	autoscaler := workload.HorizontalPodAutoscaler(&v1alpha2.Function{Spec: v1alpha2.FunctionSpec{ScaleConfig: bounds}},
		workload.Config{TargetCPUUtilization: o.targetCPU})
	if target := autoscaler.Spec.Metrics[0].Resource.Target.AverageUtilization; *target != 70 {
		t.Errorf("it is scaled at %d percent", *target)
	}
	if o.maxBuilds != 3 {
		t.Errorf("%d builds at once", o.maxBuilds)
	}
	for _, namespace := range []string{"kyma-system", "kube-system", "kube-public", "kube-node-lease", "istio-system"} {
		if !slices.Contains(o.excludedNamespaces, namespace) {
			t.Errorf("namespace %s is not excluded of %v", namespace, o.excludedNamespaces)
		}
	}
}

func TestChartTellsTheControllerTheImagesAndHowToPullThem(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	released := images
	released.FunctionBuilder = "registry.test/builder" + digest
	released.Runtimes = map[string]string{"nodejs22": "registry.test/nodejs22:1" + digest, "nodejs24": "registry.test/nodejs24:1"}
	for _, secret := range []string{"", "market"} {
		released.PullSecret = secret
		configuration := module.Configuration{Presets: module.Presets{BuildJob: "fast", RuntimePod: "M"}}
		o, err := parseOptions(chartArgsOf(t, configuration, released))
		if err != nil {
			t.Fatal(err)
		}
		if o.builderImage != released.FunctionBuilder || o.runtimes["nodejs22"] != released.Runtimes["nodejs22"] || o.runtimes["nodejs24"] != "registry.test/nodejs24:1" {
			t.Errorf("builder %s, runtimes %v", o.builderImage, o.runtimes)
		}
		if o.copyBuildImages != (secret != "") {
			t.Errorf("with Secret %q, builds use copies: %t", secret, o.copyBuildImages)
		}
		if o.isForeign(o.builderImage) || o.isForeign("registry.test/nodejs24:1") || !o.isForeign("registry.test/nodejs24:2") {
			t.Error("credentials are not for the released images alone")
		}
	}
}

var reference = regexp.MustCompile(`\$\((\w+)\)`)

// chartArgs are the controller's arguments as the kubelet gives them.
func chartArgs(t *testing.T, configuration module.Configuration) []string {
	t.Helper()
	return chartArgsOf(t, configuration, images)
}

var images = module.Images{FunctionController: "c:1", FunctionBuilder: "b:1", FunctionRegistry: "r:1", FunctionWebhook: "w:1", Runtimes: map[string]string{"nodejs22": "n:1"}}

func chartArgsOf(t *testing.T, configuration module.Configuration, images module.Images) []string {
	t.Helper()
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := parts.Render(chart.Release{Name: module.Release, Namespace: "kyma-system"}, configuration.Values(images), chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" || object.GetName() != "serverless-ctrl-mngr" {
			continue
		}
		var deployment appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment); err != nil {
			t.Fatal(err)
		}
		container := deployment.Spec.Template.Spec.Containers[0]
		values := map[string]string{}
		for _, variable := range container.Env {
			values["$("+variable.Name+")"] = variable.Value
		}
		args := make([]string, len(container.Args))
		for i, arg := range container.Args {
			args[i] = reference.ReplaceAllStringFunc(arg, func(name string) string { return values[name] })
		}
		return args
	}
	t.Fatal("the chart has no function-controller")
	return nil
}
