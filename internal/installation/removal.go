package installation

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/module"
)

// obsoleteInterval is how long one attempt may take to remove what is
// obsolete, and how often it is tried.
const obsoleteInterval = 10 * time.Second

// formerInventory is where earlier implementations kept their inventory.
var formerInventory = client.ObjectKey{Namespace: "kyma-system", Name: "serverless-manifest-cache"}

// Functions counts the Functions in the cluster. They are not watched: a watch
// would hold all of them in memory all the time, for a question that is asked
// only while the module is being uninstalled.
func (i *Installation) Functions(ctx context.Context) (int, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha2.GroupVersion.WithKind("FunctionList"))
	err := i.live.List(ctx, list, client.Limit(1))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count Functions: %w", err)
	}
	count := len(list.Items)
	if list.RemainingItemCount != nil {
		count += int(*list.RemainingItemCount)
	}
	return count, nil
}

// Remove deletes what belongs to the installation, one step further each time
// it is called. It returns what it waits for; that is empty when nothing is left.
//
// Secrets go first: with them the function controller removes its copies,
// while it still runs.
func (i *Installation) Remove(ctx context.Context) (string, error) {
	found, err := i.inventory(ctx, i.live)
	if err != nil {
		return "", err
	}
	var secrets, others []metav1.PartialObjectMetadata
	for _, object := range found {
		if object.Kind == "Secret" {
			secrets = append(secrets, object)
		} else {
			others = append(others, object)
		}
	}
	for _, step := range []struct {
		progress string
		objects  []metav1.PartialObjectMetadata
	}{
		{"Deleting secrets", secrets},
		{"Uninstalling", others},
	} {
		for _, object := range step.objects {
			if err := i.delete(ctx, &object); err != nil {
				return "", err
			}
		}
		if len(step.objects) > 0 {
			return step.progress, nil
		}
	}
	return "", i.removeCopies(ctx)
}

// removeCopies deletes what was copied to the namespaces of Functions, except
// what a user took over, and what earlier implementations left.
func (i *Installation) removeCopies(ctx context.Context) error {
	for kind, config := range map[string]string{
		"Secret":         module.ConfigCredentials,
		"ServiceAccount": module.ConfigServiceAccount,
		"ConfigMap":      module.ConfigRuntime,
	} {
		copies, err := i.copies(ctx, corev1.SchemeGroupVersion.WithKind(kind), config)
		if err != nil {
			return err
		}
		for _, object := range copies {
			if err := i.delete(ctx, &object); err != nil {
				return err
			}
		}
	}
	former := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: formerInventory.Namespace, Name: formerInventory.Name}}
	if err := client.IgnoreNotFound(i.live.Delete(ctx, former)); err != nil {
		return fmt.Errorf("delete secret %s: %w", formerInventory, err)
	}
	return nil
}

func (i *Installation) copies(ctx context.Context, kind schema.GroupVersionKind, config string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := i.live.List(ctx, list, client.MatchingLabels{module.ConfigLabel: config}); err != nil {
		return nil, fmt.Errorf("list copies of kind %s: %w", kind.Kind, err)
	}
	var copies []metav1.PartialObjectMetadata
	for _, item := range list.Items {
		if item.Labels[module.CopyOwnerLabel] != module.CopyOwnerUser {
			item.SetGroupVersionKind(kind)
			copies = append(copies, item)
		}
	}
	return copies, nil
}

// RemoveObsolete deletes the GitRepository CRD, which Functions of old referred
// to and which nothing reads any more. It tries until it succeeds or the
// context ends: no installation waits for it.
func (i *Installation) RemoveObsolete(ctx context.Context) error {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	crd.SetName("gitrepositories.serverless.kyma-project.io")
	remove := func(ctx context.Context) (done bool, _ error) {
		attempt, cancel := context.WithTimeout(ctx, obsoleteInterval)
		defer cancel()
		if err := client.IgnoreNotFound(i.live.Delete(attempt, crd)); err != nil {
			log.FromContext(ctx).Error(err, "delete obsolete CRD", "name", crd.Name)
			return false, nil
		}
		return true, nil
	}
	err := wait.PollUntilContextCancel(ctx, obsoleteInterval, true, remove)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
