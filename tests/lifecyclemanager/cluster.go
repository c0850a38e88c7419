package lifecyclemanager

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrWaiting says that something has to happen in the cluster first.
var ErrWaiting = errors.New("waiting for module CRs deletion")

// Cluster is one that modules are installed in.
type Cluster struct {
	Client client.Client
	// Owner is the field manager of what is applied.
	Owner client.FieldOwner
}

// Apply installs the module, or brings it up to the version. It can be called
// until it succeeds: kinds that the manifest brings are not known at once.
func (c *Cluster) Apply(ctx context.Context, module *Module) error {
	var errs []error
	for _, object := range module.Objects {
		if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), c.Owner, client.ForceOwnership); err != nil {
			errs = append(errs, fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

// Enable creates the default CR once, and never changes it.
func (c *Cluster) Enable(ctx context.Context, module *Module) error {
	return ignoreExisting(c.Client.Create(ctx, module.DefaultCR.DeepCopy()))
}

func ignoreExisting(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// State of the module is that of its first Deployment (contract/kyma.md 1.3, 9).
func (c *Cluster) State(ctx context.Context, module *Module) (string, error) {
	index := slices.IndexFunc(module.Objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" })
	if index < 0 {
		return "Ready", nil
	}
	var deployment appsv1.Deployment
	if err := c.Client.Get(ctx, client.ObjectKeyFromObject(module.Objects[index]), &deployment); err != nil {
		return "", err
	}
	conditions := map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition{}
	for _, condition := range deployment.Status.Conditions {
		conditions[condition.Type] = condition
	}
	progressing, available := conditions[appsv1.DeploymentProgressing], conditions[appsv1.DeploymentAvailable]
	switch {
	case deployment.Status.ObservedGeneration == deployment.Generation && progressing.Reason == "NewReplicaSetAvailable" &&
		progressing.Status == corev1.ConditionTrue && available.Status == corev1.ConditionTrue:
		return "Ready", nil
	case progressing.Reason == "ProgressDeadlineExceeded":
		return "Error", nil
	}
	return "Processing", nil
}

// Disable deletes the default CR and, once that is gone, what the manifest
// brought, CRDs included. Until the CR is gone it returns ErrWaiting, as it does
// before anything is deleted while somebody else's CR of the kind exists
// (contract/kyma.md 1.3, 10). It is called until it succeeds: then all is gone.
func (c *Cluster) Disable(ctx context.Context, module *Module) error {
	var all unstructured.UnstructuredList
	all.SetGroupVersionKind(module.DefaultCR.GroupVersionKind())
	if err := c.Client.List(ctx, &all); err != nil && !isUnknown(err) {
		return err
	}
	for _, found := range all.Items {
		if client.ObjectKeyFromObject(&found) != client.ObjectKeyFromObject(module.DefaultCR) {
			return fmt.Errorf("%w: %s/%s", ErrWaiting, found.GetNamespace(), found.GetName())
		}
	}
	if len(all.Items) > 0 {
		if err := client.IgnoreNotFound(c.Client.Delete(ctx, module.DefaultCR.DeepCopy(), client.PropagationPolicy("Background"))); err != nil {
			return err
		}
		return fmt.Errorf("%w: the default one", ErrWaiting)
	}
	left := 0
	for _, object := range module.Objects {
		if object.GetKind() == "Namespace" {
			continue
		}
		err := c.Client.Delete(ctx, object.DeepCopy())
		switch {
		case err == nil:
			left++
		case !isUnknown(err):
			return fmt.Errorf("delete %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	if left > 0 {
		return fmt.Errorf("%d objects of the manifest are not known to be gone", left)
	}
	return nil
}

// isUnknown tells that there is no such object, or no such kind.
func isUnknown(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }
