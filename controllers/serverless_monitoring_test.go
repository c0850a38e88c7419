package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/installation"
)

// monitoringSpecs are about clusters with the Prometheus Operator, of which
// only the definition of its kind matters here.
func monitoringSpecs(started func() *operatorWorld) {
	monitor := func(ctx context.Context) (*unstructured.Unstructured, error) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(installation.OptionalKinds[0])
		return object, started().Get(ctx, client.ObjectKey{Namespace: kymaSystem, Name: "serverless-controller-manager"}, object)
	}
	define := func(ctx SpecContext, plural, kind string) {
		definition := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: plural + ".monitoring.coreos.com"},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: "monitoring.coreos.com",
				Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind},
				Scope: apiextensionsv1.NamespaceScoped,
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: "v1", Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", XPreserveUnknownFields: new(true),
					}},
				}},
			},
		}
		Expect(started().Create(ctx, definition)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(started().Delete(ctx, definition))).To(Succeed())
			Eventually(func() bool {
				return apierrors.IsNotFound(started().Get(ctx, client.ObjectKeyFromObject(definition), definition))
			}).Should(BeTrue())
		})
	}

	It("has the Prometheus Operator scrape the controller once that is there", func(ctx SpecContext) {
		world := started()
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		define(ctx, "podmonitors", "PodMonitor")
		define(ctx, "servicemonitors", "ServiceMonitor")
		Eventually(func() error { _, err := monitor(ctx); return err }).Should(Succeed())
		found, err := monitor(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(found.Object["spec"]).To(HaveKeyWithValue("endpoints", ConsistOf(map[string]any{
			"port": "http-metrics", "path": "/metrics", "honorLabels": true})))
		world.becomes(ctx, object, v1alpha1.StateReady)

		Expect(world.Delete(ctx, object)).To(Succeed())
		Eventually(func() bool { _, err := monitor(ctx); return apierrors.IsNotFound(err) }).Should(BeTrue())
		Eventually(func() bool { return apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(object), object)) }).Should(BeTrue())
	})

	It("goes on when the Prometheus Operator goes", func(ctx SpecContext) {
		world := started()
		define(ctx, "servicemonitors", "ServiceMonitor")
		object := serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{})
		world.install(ctx, object, v1alpha1.StateReady)
		Eventually(func() error { _, err := monitor(ctx); return err }).Should(Succeed())
		definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "servicemonitors.monitoring.coreos.com"}}
		Expect(world.Delete(ctx, definition)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(world.Get(ctx, client.ObjectKeyFromObject(definition), definition))
		}).Should(BeTrue())

		world.edit(ctx, object, func() { object.Spec.TargetCPUUtilizationPercentage = "70" })
		Eventually(func() (map[string]string, error) { return world.env(ctx, kymaSystem) }).
			Should(HaveKeyWithValue("APP_FUNCTION_TARGET_CPU_UTILIZATION_PERCENTAGE", "70"))
		world.becomes(ctx, object, v1alpha1.StateReady)
		Expect(world.Delete(ctx, object)).To(Succeed())
		world.vanishes(ctx, object)
	})

	It("needs no ServiceMonitor where only other kinds of its group are there", func(ctx SpecContext) {
		define(ctx, "podmonitors", "PodMonitor")
		started().install(ctx, serverless(kymaSystem, "default", v1alpha1.ServerlessSpec{}), v1alpha1.StateReady)
	})
}
