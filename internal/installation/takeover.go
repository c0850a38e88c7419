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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/module"
)

// formerAnnotation was set by what installed the module before it had an
// operator (contract/functions.md 1.3).
const formerAnnotation = "reconciler.kyma-project.io/managed-by-reconciler-disclaimer"

// makeWay prepares what is in the cluster already for what is rendered.
func (i *Installation) makeWay(ctx context.Context, rendered []*unstructured.Unstructured) error {
	for _, object := range rendered {
		var err error
		switch object.GetKind() {
		case "PersistentVolumeClaim":
			err = i.keepVolume(ctx, object)
		case "Service":
			err = i.removeSecretsWebhook(ctx, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// formerController deletes the function controller of the original or its
// successor, and returns what goes, as long as that and its Pods are there. Two
// controllers at once would take each other's Deployments of Functions for surplus.
func (i *Installation) formerController(ctx context.Context, rendered []*unstructured.Unstructured) (going []string, err error) {
	// Ours without its label, by an edit, is none.
	if i.formerGone.Load() {
		return nil, nil
	}
	for _, object := range rendered {
		if object.GetKind() != "Deployment" || object.GetName() != module.ControllerName {
			continue
		}
		live, err := i.deployment(ctx, client.ObjectKeyFromObject(object))
		if err != nil {
			return nil, err
		}
		if live == nil || !applied(live) || live.Labels[ManagedByLabel] == FieldManager {
			continue
		}
		going = append(going, fmt.Sprintf("Deployment %s: the former one has to go first, with its Pods", live.Name))
		if err := i.deleteBy(ctx, metadataOf(live), metav1.DeletePropagationForeground); err != nil {
			return nil, err
		}
	}
	return going, nil
}

// removeOtherPods deletes Deployments that select their Pods by other labels,
// as those of the original and its successor: that can't be changed.
func (i *Installation) removeOtherPods(ctx context.Context, deployments []*unstructured.Unstructured) error {
	for _, object := range deployments {
		key := client.ObjectKeyFromObject(object)
		desired := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, desired); err != nil {
			return fmt.Errorf("read rendered Deployment %s: %w", key, err)
		}
		live, err := i.deployment(ctx, key)
		if err != nil {
			return err
		}
		if live == nil || !applied(live) || equality.Semantic.DeepEqual(live.Spec.Selector, desired.Spec.Selector) {
			continue
		}
		if err := i.delete(ctx, metadataOf(live)); err != nil {
			return err
		}
	}
	return nil
}

// deployment returns a Deployment, or nil if there is none.
func (i *Installation) deployment(ctx context.Context, key client.ObjectKey) (*appsv1.Deployment, error) {
	live := &appsv1.Deployment{}
	err := i.live.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Deployment %s: %w", key, err)
	}
	return live, nil
}

func metadataOf(deployment *appsv1.Deployment) *metav1.PartialObjectMetadata {
	object := named(appsv1.SchemeGroupVersion.WithKind("Deployment"), deployment.Namespace, deployment.Name)
	object.ObjectMeta = deployment.ObjectMeta
	return &object
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
