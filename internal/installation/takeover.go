package installation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// formerAnnotation was set by what installed the module before it had an
// operator (contract/functions.md 1.3).
const formerAnnotation = "reconciler.kyma-project.io/managed-by-reconciler-disclaimer"

// makeWay prepares what is in the cluster already for what is rendered: fields
// that can't be changed are kept, or their object is deleted.
func (i *Installation) makeWay(ctx context.Context, rendered []*unstructured.Unstructured) error {
	for _, object := range rendered {
		var err error
		switch object.GetKind() {
		case "PersistentVolumeClaim":
			err = i.keepVolume(ctx, object)
		case "Deployment":
			err = i.removeDeploymentOfOtherPods(ctx, object)
		case "Service":
			err = i.removeSecretsWebhook(ctx, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepVolume lets a volume claim be what it is in the cluster: users may
// enlarge it, nothing may shrink it, and the rest can't be changed.
func (i *Installation) keepVolume(ctx context.Context, rendered *unstructured.Unstructured) error {
	key := client.ObjectKeyFromObject(rendered)
	claim := &corev1.PersistentVolumeClaim{}
	err := i.live.Get(ctx, key, claim)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get volume claim %s: %w", key, err)
	}
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&claim.Spec)
	if err != nil {
		return fmt.Errorf("keep volume claim %s: %w", key, err)
	}
	rendered.Object["spec"] = spec
	return nil
}

// removeDeploymentOfOtherPods deletes a Deployment of the original or its
// successor that selects its Pods by other labels, as that can't be changed.
func (i *Installation) removeDeploymentOfOtherPods(ctx context.Context, rendered *unstructured.Unstructured) error {
	key := client.ObjectKeyFromObject(rendered)
	desired, live := &appsv1.Deployment{}, &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rendered.Object, desired); err != nil {
		return fmt.Errorf("read rendered Deployment %s: %w", key, err)
	}
	err := i.live.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get Deployment %s: %w", key, err)
	}
	if equality.Semantic.DeepEqual(live.Spec.Selector, desired.Spec.Selector) || !applied(live) {
		return nil
	}
	object := named(appsv1.SchemeGroupVersion.WithKind("Deployment"), key.Namespace, key.Name)
	object.ObjectMeta = live.ObjectMeta
	return i.delete(ctx, &object)
}

// removeSecretsWebhook deletes the original's webhook that changed Secrets.
// The webhook that takes over the Service doesn't know it, and while it is
// asked and doesn't answer, no Secret can be written.
func (i *Installation) removeSecretsWebhook(ctx context.Context, service *unstructured.Unstructured) error {
	if service.GetName() != "serverless-webhook" || i.formerGone.Load() {
		return nil
	}
	list := &admissionregistrationv1.MutatingWebhookConfigurationList{}
	if err := i.live.List(ctx, list); err != nil {
		return fmt.Errorf("list mutating webhooks: %w", err)
	}
	for _, configuration := range list.Items {
		if !isSecretsWebhook(&configuration, client.ObjectKeyFromObject(service)) {
			continue
		}
		object := named(admissionregistrationv1.SchemeGroupVersion.WithKind("MutatingWebhookConfiguration"), "", configuration.Name)
		object.ObjectMeta = configuration.ObjectMeta
		if err := i.delete(ctx, &object); err != nil {
			return err
		}
	}
	return nil
}

// isSecretsWebhook knows the configuration by its name and by whom it asks: the
// webhook made it by itself, so no field manager tells.
func isSecretsWebhook(configuration *admissionregistrationv1.MutatingWebhookConfiguration, service client.ObjectKey) bool {
	isOther := func(webhook admissionregistrationv1.MutatingWebhook) bool {
		asked := webhook.ClientConfig.Service
		return asked == nil || asked.Namespace != service.Namespace || asked.Name != service.Name
	}
	return strings.HasPrefix(configuration.Name, "mutating.secrets") &&
		len(configuration.Webhooks) > 0 && !slices.ContainsFunc(configuration.Webhooks, isOther)
}
