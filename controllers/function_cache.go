package controllers

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// FunctionCacheOptions limit the cache to what the module made: memory grows
// with the number of Functions, not with the cluster.
func FunctionCacheOptions(registrySecret string) cache.Options {
	children := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha2.LabelManagedBy: v1alpha2.ManagedByController})}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}:                      children,
			&corev1.Pod{}:                            {Label: children.Label, Transform: withoutPodSpec},
			&corev1.Service{}:                        children,
			&appsv1.Deployment{}:                     children,
			&batchv1.Job{}:                           children,
			&autoscalingv2.HorizontalPodAutoscaler{}: children,
			&policyv1.PodDisruptionBudget{}:          children,
			// By name, not by label: a user's own registry Secret may have no label of ours but managed-by.
			&corev1.Secret{}:         {Field: fields.OneTermEqualSelector("metadata.name", registrySecret)},
			&corev1.ServiceAccount{}: {Label: labels.SelectorFromSet(labels.Set{v1alpha2.LabelConfig: v1alpha2.ConfigServiceAccount})},
		},
	}
}

// withoutPodSpec keeps of a Pod whose it is and how it is doing: what is asked
// of it is in the Deployment or the Job.
func withoutPodSpec(object any) (any, error) {
	if pod, isPod := object.(*corev1.Pod); isPod {
		pod.Spec, pod.ManagedFields, pod.Annotations = corev1.PodSpec{}, nil, nil
	}
	return object, nil
}

// NewPackageRegistryCache holds the Secrets of the name, which users make
// without any label, and no others.
func NewPackageRegistryCache(mgr ctrl.Manager, secretName string) (cache.Cache, error) {
	packages, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Field: fields.OneTermEqualSelector("metadata.name", secretName)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up cache of package registry Secrets: %w", err)
	}
	if err := mgr.Add(runnable{packages}); err != nil {
		return nil, fmt.Errorf("add cache of package registry Secrets: %w", err)
	}
	return packages, nil
}

// runnable has the manager start a cache before the controllers, as its own.
type runnable struct{ cache.Cache }

// GetCache marks the runnable as a cache.
func (r runnable) GetCache() cache.Cache { return r.Cache }
