package controllers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/apply"
	"kyma-project.io/serverless/internal/image"
)

// NamespaceSetup gives a namespace what Functions in it need: the service
// account and the registry's credentials, as copies of those in the base
// namespace (contract/functions.md 3.9).
type NamespaceSetup struct {
	client.Client
	Applier *apply.Applier
	// Base is the namespace of the originals; Excluded get no copies.
	Base     string
	Excluded []string
	// RegistrySecret and ServiceAccount are the names of what is copied.
	RegistrySecret, ServiceAccount string

	firsts singleflight.Group
}

// MissingOriginalError says that there is nothing to copy.
type MissingOriginalError struct{ Secret string }

func (e *MissingOriginalError) Error() string {
	return fmt.Sprintf("docker registry configuration not found, configuration secret (%s) not found in function namespace", e.Secret)
}

// ExcludedError says that a namespace gets no copies.
type ExcludedError struct{ Namespace string }

func (e *ExcludedError) Error() string {
	return fmt.Sprintf("Functions don't run in namespace %s: it gets no credentials of the registry. Create the Function in another namespace", e.Namespace)
}

// Location returns where the namespace's images are kept, and how the
// controller gets at them. In the module's own registry it uses the module's
// credentials, which no namespace has; they are sent to no other address.
func (s *NamespaceSetup) Location(ctx context.Context, namespace string) (image.Location, error) {
	secret, err := s.Registry(ctx, namespace)
	if err != nil {
		return image.Location{}, err
	}
	location, err := image.LocationFromSecret(secret)
	if err != nil || !location.Internal {
		return location, err
	}
	var original corev1.Secret
	if err := s.Get(ctx, client.ObjectKey{Namespace: s.Base, Name: s.RegistrySecret}, &original); client.IgnoreNotFound(err) != nil {
		return image.Location{}, fmt.Errorf("read registry Secret of namespace %s: %w", s.Base, err)
	}
	own, err := image.LocationFromSecret(&original)
	if err == nil && own.Internal && own.Push == location.Push && own.Pull == location.Pull {
		return own, nil
	}
	// The user keeps a Secret of another registry.
	location.Internal = false
	return location, nil
}

// Registry returns the namespace's registry Secret. The first Function of a
// namespace need not wait until somebody else has set it up.
func (s *NamespaceSetup) Registry(ctx context.Context, namespace string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: s.RegistrySecret}, secret)
	if err == nil {
		return secret, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read registry Secret %s: %w", s.RegistrySecret, err)
	}
	// Many Functions may be first.
	provided, err, _ := s.firsts.Do(namespace, func() (any, error) { return s.Provide(ctx, namespace) })
	if err != nil {
		return nil, err
	}
	return provided.(*corev1.Secret), nil
}

// Provide brings the namespace's copies up to date, and returns its registry Secret.
func (s *NamespaceSetup) Provide(ctx context.Context, namespace string) (*corev1.Secret, error) {
	if slices.Contains(s.Excluded, namespace) {
		return nil, &ExcludedError{Namespace: namespace}
	}
	var original corev1.Secret
	err := s.Get(ctx, client.ObjectKey{Namespace: s.Base, Name: s.RegistrySecret}, &original)
	if apierrors.IsNotFound(err) || (err == nil && original.DeletionTimestamp != nil) {
		return nil, &MissingOriginalError{Secret: s.RegistrySecret}
	}
	if err != nil {
		return nil, fmt.Errorf("read registry Secret of namespace %s: %w", s.Base, err)
	}
	// The account first: what waits for the Secret may start Pods at once.
	if err := s.copyServiceAccount(ctx, namespace); err != nil {
		return nil, err
	}
	return s.copySecret(ctx, &original, namespace)
}

func (s *NamespaceSetup) copySecret(ctx context.Context, original *corev1.Secret, namespace string) (*corev1.Secret, error) {
	desired := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: original.Name, Namespace: namespace,
			Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigCredentials},
		},
		Type: original.Type,
	}
	var err error
	if desired.Data, err = copiedData(original, namespace); err != nil {
		return nil, err
	}
	var current corev1.Secret
	kept, err := s.keptByUser(ctx, desired, &current)
	if err != nil || kept {
		return &current, err
	}
	_, err = s.Applier.Apply(ctx, desired)
	return desired, err
}

// copiedData is the original's, but that of the module's own registry has
// credentials with which the namespace can pull its images and nothing else.
func copiedData(original *corev1.Secret, namespace string) (map[string][]byte, error) {
	if string(original.Data["isInternal"]) != "true" {
		return original.Data, nil
	}
	login := access.ForNamespace(namespace, string(original.Data["password"]))
	config, err := dockerConfig(login, string(original.Data["pullRegAddr"]), string(original.Data["pushRegAddr"]))
	if err != nil {
		return nil, err
	}
	data := maps.Clone(original.Data)
	data["username"], data["password"] = []byte(login.Username), []byte(login.Password)
	data[corev1.DockerConfigJsonKey] = config
	return data, nil
}

// dockerConfig logs in to each of the addresses.
func dockerConfig(login access.Credentials, addresses ...string) ([]byte, error) {
	entry := map[string]string{
		"username": login.Username, "password": login.Password,
		"auth": base64.StdEncoding.EncodeToString([]byte(login.Username + ":" + login.Password)),
	}
	entries := map[string]any{}
	for _, address := range addresses {
		entries[address] = entry
	}
	config, err := json.Marshal(map[string]any{"auths": entries})
	if err != nil {
		return nil, fmt.Errorf("encode credentials of the registry: %w", err)
	}
	return config, nil
}

func (s *NamespaceSetup) copyServiceAccount(ctx context.Context, namespace string) error {
	var original corev1.ServiceAccount
	if err := s.Get(ctx, client.ObjectKey{Namespace: s.Base, Name: s.ServiceAccount}, &original); err != nil {
		return client.IgnoreNotFound(err)
	}
	desired := &corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{
			Name: original.Name, Namespace: namespace,
			Labels: map[string]string{v1alpha2.LabelConfig: v1alpha2.ConfigServiceAccount},
		},
		ImagePullSecrets:             original.ImagePullSecrets,
		AutomountServiceAccountToken: original.AutomountServiceAccountToken,
	}
	if kept, err := s.keptByUser(ctx, desired, &corev1.ServiceAccount{}); err != nil || kept {
		return err
	}
	_, err := s.Applier.Apply(ctx, desired)
	return err
}

// keptByUser reads the object of the copy's name, and tells whether its user
// has taken it over (contract/functions.md 2.6).
func (s *NamespaceSetup) keptByUser(ctx context.Context, desired, current client.Object) (bool, error) {
	if err := s.Get(ctx, client.ObjectKeyFromObject(desired), current); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read %s %s: %w", desired.GetObjectKind().GroupVersionKind().Kind, client.ObjectKeyFromObject(desired), err)
	}
	return current.GetLabels()[v1alpha2.LabelManagedBy] == v1alpha2.ManagedByUser, nil
}

// Withdraw deletes the namespace's copies, which no Function needs any more.
func (s *NamespaceSetup) Withdraw(ctx context.Context, namespace string) error {
	for _, copied := range []struct {
		object       client.Object
		kind, config string
		name         string
	}{
		{&corev1.Secret{}, "Secret", v1alpha2.ConfigCredentials, s.RegistrySecret},
		{&corev1.ServiceAccount{}, "ServiceAccount", v1alpha2.ConfigServiceAccount, s.ServiceAccount},
	} {
		key := client.ObjectKey{Namespace: namespace, Name: copied.name}
		// In the cache there is nothing in most namespaces.
		if err := s.Get(ctx, key, copied.object); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return fmt.Errorf("read %s %s: %w", copied.kind, key, err)
		}
		if err := s.delete(ctx, key, copied.kind, copied.config); err != nil {
			return err
		}
	}
	return nil
}

// delete deletes the object if it is a copy. Its field managers, which the
// cache doesn't have, tell it from what a user made alike.
func (s *NamespaceSetup) delete(ctx context.Context, key client.ObjectKey, kind, config string) error {
	object := metadataOf(corev1.SchemeGroupVersion.WithKind(kind))
	if err := s.Applier.Live.Get(ctx, key, object); err != nil {
		return client.IgnoreNotFound(err)
	}
	if object.Labels[v1alpha2.LabelConfig] != config || object.Labels[v1alpha2.LabelManagedBy] == v1alpha2.ManagedByUser || !s.isCopy(object) {
		return nil
	}
	err := s.Delete(ctx, object, client.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s: %w", kind, key, err)
	}
	return nil
}

// formerManager is the field manager of the copies that the original Serverless
// module made: the name of its program.
const formerManager = "manager"

func (s *NamespaceSetup) isCopy(object metav1.Object) bool {
	return slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == s.Applier.Manager || entry.Manager == formerManager
	})
}
