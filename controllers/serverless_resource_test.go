package controllers_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/installation"
)

// serverlessResourceSpecs are about what users see of the resource and of its objects.
func serverlessResourceSpecs(started func() *operatorWorld) {
	It("is listed with its conditions and its state", func(ctx SpecContext) {
		Expect(columns(ctx, started().admin, "operator.kyma-project.io/v1alpha1/serverlesses")).To(
			Equal([]string{"Name", "Configured", "Installed", "generation", "age", "state"}))
	})

	It("says on each of its objects that edits are undone", func(ctx SpecContext) {
		started().install(ctx, serverless(kymaSystem, "default", internalRegistry()), v1alpha1.StateReady)
		objects := managed(ctx, started())
		Expect(len(objects)).To(BeNumerically(">", 20))
		for _, object := range objects {
			Expect(object.Annotations).To(HaveKeyWithValue("serverless-manager.kyma-project.io/managed-by-serverless-manager-disclaimer",
				"DO NOT EDIT - This resource is managed by Serverless-Manager.\nAny modifications are discarded and the resource is reverted to the original state."),
				"%s %s", object.Kind, object.Name)
		}
	})

	It("removes the definition of GitRepositories, which nothing reads any more", func(ctx SpecContext) {
		definition := &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: "gitrepositories.serverless.kyma-project.io"},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: "serverless.kyma-project.io", Scope: apiextensionsv1.NamespaceScoped,
				Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gitrepositories", Kind: "GitRepository"},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: "v1alpha1", Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
				}},
			},
		}
		Expect(started().Create(ctx, definition)).To(Succeed())
		operator, err := client.New(started().config, client.Options{Scheme: started().scheme})
		Expect(err).NotTo(HaveOccurred())
		Expect(installation.New(operator, operator).RemoveObsolete(ctx)).To(Succeed())
		started().lacks(ctx, definition, "", definition.Name)
	})
}
