package module_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

var update = flag.Bool("update", false, "write the golden files")

var images = module.Images{
	FunctionController: "registry.test/function-controller:1",
	FunctionBuilder:    "registry.test/function-builder:1",
	FunctionRegistry:   "registry.test/function-registry:1",
	FunctionWebhook:    "registry.test/function-webhook:1",
	Runtimes:           map[string]string{"nodejs22": "registry.test/function-runtime-nodejs22:1", "nodejs24": "registry.test/function-runtime-nodejs24:1"},
}

// TestRenderedObjects shows what each kind of registry installs, the CRD left out.
func TestRenderedObjects(t *testing.T) {
	credentials := module.Credentials{Username: "user", Password: "password"}
	for name, registry := range map[string]module.Registry{
		"internal": {Internal: true, NodePort: 32137, Credentials: credentials, HTTPSecret: "http-secret"},
		"external": {ServerAddress: "https://server.test/v1/", RegistryAddress: "server.test/team", Credentials: credentials},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, module.Configuration{
				Registry:  registry,
				Endpoints: module.Endpoints{Eventing: "http://events.test", Tracing: "http://traces.test"},
				Presets:   module.Presets{BuildJob: "slow", RuntimePod: "XS"},
				Spec:      v1alpha1.ServerlessSpec{HealthzLivenessTimeout: "20"},
			})
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("rendered objects differ from %s; see the difference with -update and git diff", golden)
			}
		})
	}
}

func TestValuesThatCannotWorkAreRefused(t *testing.T) {
	parts := load(t)
	for field, spec := range map[string]v1alpha1.ServerlessSpec{
		"targetCPUUtilizationPercentage": {TargetCPUUtilizationPercentage: "half"},
		"buildMaxSimultaneousJobs":       {FunctionBuildMaxSimultaneousJobs: "-1"},
		"healthzLivenessTimeout":         {HealthzLivenessTimeout: "soon"},
	} {
		configuration := module.Configuration{Presets: module.Presets{BuildJob: "slow", RuntimePod: "XS"}, Spec: spec}
		_, err := parts.Render(chart.Release{Name: module.Release, Namespace: "kyma-system"},
			configuration.Values(images), chartutil.DefaultCapabilities)
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v, want one that names %s", err, field)
		}
	}
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func render(t *testing.T, configuration module.Configuration) []byte {
	t.Helper()
	objects, err := load(t).Render(chart.Release{Name: module.Release, Namespace: "kyma-system"},
		configuration.Values(images), chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	var documents [][]byte
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" {
			continue
		}
		document, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte("---\n"))
}
