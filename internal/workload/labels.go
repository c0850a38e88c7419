// Package workload computes the objects that run a Function, and reads how
// they are doing.
package workload

import (
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// InternalLabels are on every object of a Function (contract/functions.md 2.6).
func InternalLabels(fn *v1alpha2.Function) map[string]string {
	return map[string]string{
		v1alpha2.LabelFunctionName: fn.Name,
		v1alpha2.LabelManagedBy:    v1alpha2.ManagedByController,
		v1alpha2.LabelUUID:         string(fn.UID),
	}
}

// Labels are the Function's own labels with the internal ones.
func Labels(fn *v1alpha2.Function) map[string]string {
	labels := maps.Clone(fn.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, InternalLabels(fn))
	return labels
}

// SelectorLabels select the Pods that serve.
func SelectorLabels(fn *v1alpha2.Function) map[string]string {
	labels := InternalLabels(fn)
	labels[v1alpha2.LabelResource] = v1alpha2.ResourceDeployment
	return labels
}

// OwnerReferences make the Function's children go with it.
func OwnerReferences(fn *v1alpha2.Function) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(fn, v1alpha2.GroupVersion.WithKind("Function"))}
}

// ChildName is the name of a Function's Deployment and ConfigMap: the
// Function's with a suffix of its own, the same at each call, so that
// applying them twice makes them once.
func ChildName(fn *v1alpha2.Function) string {
	sum := sha256.Sum256([]byte(fn.UID))
	return fn.Name + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:5])
}
