package controllers

import (
	"context"
	"fmt"
	"math/rand/v2"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/volume"
)

// configure observes what the configuration depends on and decides it.
func (r *ServerlessReconciler) configure(ctx context.Context, serverless *v1alpha1.Serverless) (module.Configuration, error) {
	registry, warning, err := r.registry(ctx, serverless)
	if err != nil {
		return module.Configuration{}, err
	}
	fullness, err := r.volumeWarning(ctx, serverless.Namespace, registry)
	if err != nil {
		return module.Configuration{}, err
	}
	tracing, err := r.tracingNamespaces(ctx)
	if err != nil {
		return module.Configuration{}, err
	}
	nodes, err := r.nodes(ctx)
	if err != nil {
		return module.Configuration{}, err
	}
	configuration := module.Configuration{
		Registry:  registry,
		Endpoints: module.ChooseEndpoints(serverless.Spec, tracing),
		Presets:   module.ChoosePresets(serverless.Spec, nodes),
		Log:       module.ChooseLog(serverless.Spec),
		Spec:      serverless.Spec,
	}
	for _, one := range []string{warning, fullness} {
		if one != "" {
			configuration.Warnings = append(configuration.Warnings, one)
		}
	}
	return configuration, nil
}

// volumeWarning is what the module's own registry has to say of its volume. The
// ConfigMap is watched.
func (r *ServerlessReconciler) volumeWarning(ctx context.Context, namespace string, registry module.Registry) (string, error) {
	if !registry.Internal {
		return "", nil
	}
	said := metadataOf(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	key := client.ObjectKey{Namespace: namespace, Name: module.RegistryVolumeName}
	if err := r.Client.Get(ctx, key, said); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("get ConfigMap %s: %w", key, err)
	}
	return module.VolumeWarning(said.Annotations[volume.Annotation], namespace), nil
}

func (r *ServerlessReconciler) registry(ctx context.Context, serverless *v1alpha1.Serverless) (module.Registry, string, error) {
	kind, warning := module.ChooseRegistry(serverless.Spec)
	if kind == module.RegistryExternal {
		secret := &corev1.Secret{}
		key := client.ObjectKey{Namespace: serverless.Namespace, Name: *serverless.Spec.DockerRegistry.SecretName}
		// Not wrapped: the API server's words are the message that users know.
		if err := r.Live.Get(ctx, key, secret); err != nil {
			return module.Registry{}, "", err
		}
		registry, err := module.ExternalRegistry(secret)
		return registry, warning, err
	}

	// An outdated answer would make new credentials, so the API server is asked.
	current, err := r.secret(ctx, serverless.Namespace, module.RegistrySecretName)
	if err != nil {
		return module.Registry{}, "", err
	}
	if kind == module.RegistryK3d {
		return module.K3dRegistry(current), warning, nil
	}
	httpSecret, err := r.httpSecret(ctx, serverless.Namespace)
	if err != nil {
		return module.Registry{}, "", err
	}
	nodePort, err := r.nodePort(ctx, serverless.Namespace)
	if err != nil {
		return module.Registry{}, "", err
	}
	return module.InternalRegistry(current, httpSecret, nodePort), warning, nil
}

// httpSecret returns the HTTP secret of the module's own registry, or "".
func (r *ServerlessReconciler) httpSecret(ctx context.Context, namespace string) (string, error) {
	kept, err := r.secret(ctx, namespace, module.RegistryName)
	if err != nil {
		return "", err
	}
	if text := module.HTTPSecret(kept, nil); text != "" {
		return text, nil
	}
	running := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: namespace, Name: module.RegistryName}
	if err := r.Live.Get(ctx, key, running); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("get Deployment %s: %w", key, err)
	}
	return module.HTTPSecret(kept, running), nil
}

// secret returns a Secret, or nil if there is none.
func (r *ServerlessReconciler) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get secret %s/%s: %w", namespace, name, err)
	}
	return secret, nil
}

func (r *ServerlessReconciler) nodePort(ctx context.Context, namespace string) (int32, error) {
	service := &corev1.Service{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: module.RegistryName}, service)
	if client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("get service %s/%s: %w", namespace, module.RegistryName, err)
	}
	if port, found := module.CurrentNodePort(service); err == nil && found {
		return port, nil
	}
	services := &corev1.ServiceList{}
	if err := r.Live.List(ctx, services); err != nil {
		return 0, fmt.Errorf("list services: %w", err)
	}
	return module.FreeNodePort(services.Items, rand.Int32N)
}

func (r *ServerlessReconciler) tracingNamespaces(ctx context.Context) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceList"))
	if err := r.TracingServices.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list services named %s: %w", module.TracingServiceName, err)
	}
	var namespaces []string
	for _, service := range list.Items {
		if service.DeletionTimestamp == nil {
			namespaces = append(namespaces, service.Namespace)
		}
	}
	return namespaces, nil
}

// nodes counts the nodes. They are not watched: a change of the presets
// restarts Functions, which an autoscaler must not set off.
func (r *ServerlessReconciler) nodes(ctx context.Context) (int, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NodeList"))
	if err := r.Live.List(ctx, list, client.Limit(10)); err != nil {
		return 0, fmt.Errorf("list nodes: %w", err)
	}
	return len(list.Items), nil
}
