package controllers_test

import (
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/module"
)

// manifestSpecs are about what no resource asks for by itself. It is only
// tried: the API server says if it would take it.
func manifestSpecs(started func() *operatorWorld) {
	try := func(ctx SpecContext, objects []*unstructured.Unstructured) {
		for _, object := range objects {
			Expect(started().Apply(ctx, client.ApplyConfigurationFromUnstructured(object),
				client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll)).
				To(Succeed(), "%s %s", object.GetKind(), object.GetName())
		}
	}

	It("has an operator's manifest that the cluster takes", func(ctx SpecContext) {
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", "config", "default"))
		Expect(err).NotTo(HaveOccurred())
		text, err := resources.AsYaml()
		Expect(err).NotTo(HaveOccurred())
		objects, err := utils.ReadObjects(strings.NewReader(string(text)))
		Expect(err).NotTo(HaveOccurred())
		Expect(len(objects)).To(BeNumerically(">", 10))
		try(ctx, objects)
	})

	It("has a chart that the cluster takes with several replicas", func(ctx SpecContext) {
		parts, err := chart.Load(charts.Serverless, "serverless")
		Expect(err).NotTo(HaveOccurred())
		values := module.Configuration{
			Registry: module.Registry{Internal: true, NodePort: 32137}, Presets: module.Presets{BuildJob: "slow", RuntimePod: "XS"},
		}.Values(module.Images{FunctionController: "c", FunctionBuilder: "b", FunctionRegistry: "r", FunctionWebhook: "w", Runtimes: map[string]string{"nodejs22": "n"}})
		values["function-controller"].(map[string]any)["replicas"] = 2
		values["webhook"] = map[string]any{"replicas": 2}
		objects, err := parts.Render(chart.Release{Name: module.Release, Namespace: kymaSystem}, values, chartutil.DefaultCapabilities)
		Expect(err).NotTo(HaveOccurred())
		try(ctx, objects)
	})
}
