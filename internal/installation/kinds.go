// Package installation keeps what is in a cluster equal to what was rendered:
// it applies objects, deletes those no longer rendered, tells which are not
// ready, and removes them all.
//
// The cluster itself is the inventory. An object belongs to the installation
// if it has the ManagedByLabel and the operator is among its field managers.
// So no record has to be kept that could be lost or fall behind: what was
// applied just before a crash is known, and an object that someone copied with
// its labels is not taken for ours.
package installation

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// FieldManager owns the fields that the operator applies.
	FieldManager = "serverless-operator"

	// ManagedByLabel marks every object that the operator applies.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ModuleLabel names the module that an object belongs to.
	ModuleLabel = "kyma-project.io/module"

	disclaimerAnnotation = "serverless-manager.kyma-project.io/managed-by-serverless-manager-disclaimer"
	disclaimer           = "DO NOT EDIT - This resource is managed by Serverless-Manager.\n" +
		"Any modifications are discarded and the resource is reverted to the original state."
)

// Kinds are the kinds of objects that an installation may consist of. A kind
// is never taken off the list, or an upgrade leaves its objects behind.
var Kinds = []schema.GroupVersionKind{
	corev1.SchemeGroupVersion.WithKind("ConfigMap"),
	corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"),
	corev1.SchemeGroupVersion.WithKind("Secret"),
	corev1.SchemeGroupVersion.WithKind("Service"),
	corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
	policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
	rbacv1.SchemeGroupVersion.WithKind("ClusterRole"),
	rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"),
	rbacv1.SchemeGroupVersion.WithKind("Role"),
	rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
	schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"),
	admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"),
	admissionregistrationv1.SchemeGroupVersion.WithKind("ValidatingWebhookConfiguration"),
	apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"),
}

// OptionalKinds are those that a cluster may lack, and that are part of the
// installation only where they are there. They are not watched: a watch of a
// kind that is not there, or goes, fails for ever.
var OptionalKinds = []schema.GroupVersionKind{
	{Group: "monitoring.coreos.com", Version: "v1", Kind: "ServiceMonitor"},
}

// Selector selects the objects that carry the ManagedByLabel.
func Selector() labels.Selector {
	return labels.SelectorFromSet(labels.Set{ManagedByLabel: FieldManager})
}

// Stamp marks rendered objects as the operator's.
func Stamp(objects []*unstructured.Unstructured) {
	for _, object := range objects {
		object.SetLabels(labels.Merge(object.GetLabels(), labels.Set{
			ManagedByLabel: FieldManager,
			ModuleLabel:    "serverless",
		}))
		object.SetAnnotations(labels.Merge(object.GetAnnotations(), labels.Set{disclaimerAnnotation: disclaimer}))
	}
}

// applied says if the operator applied an object, not only its labels.
func applied(object metav1.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply
	})
}
