// Package v1alpha1 holds the Serverless resource, which switches the module on
// and configures it.
//
// +kubebuilder:object:generate=true
// +groupName=operator.kyma-project.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of the resources of this package.
	GroupVersion = schema.GroupVersion{Group: "operator.kyma-project.io", Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addTypes)

	// AddToScheme makes the resources of this package known to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Serverless{}, &ServerlessList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
