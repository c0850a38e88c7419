// Package apply brings an object of the cluster to a desired state, and
// leaves it alone when it is there already.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// annotationApplied holds a digest of what was applied last. With it, an
// object that is as desired is recognized without a request.
const annotationApplied = "serverless.kyma-project.io/applied"

// Result of applying an object.
type Result int

// What was done.
const (
	Unchanged Result = iota
	Created
	Updated
)

// Applier applies objects in the name of one field manager, by server-side
// apply: what other managers own stays as it is.
type Applier struct {
	// Client reads from a cache; Live reads from the API server.
	Client client.Client
	Live   client.Reader
	// Manager is the name of the field manager.
	Manager string
}

// ForeignError says that an object of the name belongs to somebody else.
type ForeignError struct {
	Object client.Object
	Kind   string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %s exists and belongs to something else; delete it, or rename the owner of this one",
		e.Kind, client.ObjectKeyFromObject(e.Object))
}

// WriteError says that an object could not be written.
type WriteError struct {
	Kind, Name string
	// Attempted is what the write would have come to.
	Attempted Result
	Err       error
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("%s %s %s: %v", e.Verb(), e.Kind, e.Name, e.Err)
}

func (e *WriteError) Unwrap() error { return e.Err }

// Verb of what was attempted.
func (e *WriteError) Verb() string {
	if e.Attempted == Created {
		return "create"
	}
	return "update"
}

// Apply brings the object into the desired state and reads what the API
// server made of it into desired. An object of the same name with another
// controller than the desired one's is a ForeignError.
func (a *Applier) Apply(ctx context.Context, desired client.Object) (Result, error) {
	return a.apply(ctx, desired, a.Live)
}

// ApplyUnique is Apply for an object whose name has its owner's identity in it,
// so that nobody else's can have it: one that isn't in the cache is not looked
// for in the API server, which saves a request for each that is new.
func (a *Applier) ApplyUnique(ctx context.Context, desired client.Object) (Result, error) {
	return a.apply(ctx, desired, nil)
}

func (a *Applier) apply(ctx context.Context, desired client.Object, beyond client.Reader) (Result, error) {
	kind := desired.GetObjectKind().GroupVersionKind().Kind
	object, err := marked(desired)
	if err != nil {
		return Unchanged, fmt.Errorf("prepare %s %s: %w", kind, desired.GetName(), err)
	}
	live, result, err := a.observe(ctx, desired, kind, beyond)
	if err != nil {
		return Unchanged, err
	}
	if live != nil {
		unchanged, err := isAsDesired(live, object)
		if err != nil {
			return Unchanged, fmt.Errorf("compare %s %s: %w", kind, desired.GetName(), err)
		}
		if unchanged {
			return Unchanged, copyInto(desired, live)
		}
	}
	if err := a.send(ctx, object, live); err != nil {
		return Unchanged, &WriteError{Kind: kind, Name: desired.GetName(), Attempted: result, Err: err}
	}
	if live != nil && live.GetResourceVersion() == object.GetResourceVersion() {
		result = Unchanged
	}
	return result, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, desired)
}

// send applies the object, and reads into it what the API server made of it.
func (a *Applier) send(ctx context.Context, object *unstructured.Unstructured, live client.Object) error {
	apply := func() error {
		// The answer overwrites what is sent.
		sent := object.DeepCopy()
		err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(sent), client.FieldOwner(a.Manager), client.ForceOwnership)
		if err == nil {
			object.Object = sent.Object
		}
		return err
	}
	err := apply()
	if !apierrors.IsInvalid(err) || live == nil || live.GetAnnotations()[annotationApplied] != object.GetAnnotations()[annotationApplied] {
		return err
	}
	// The same was applied before, so what others added to it makes it invalid.
	if err := a.takeOver(ctx, object); err != nil {
		return err
	}
	return apply()
}

// observe reads the object: from the cache, and if it isn't there from what is
// beyond, since the cache only has objects with our labels.
func (a *Applier) observe(ctx context.Context, desired client.Object, kind string, beyond client.Reader) (client.Object, Result, error) {
	live := desired.DeepCopyObject().(client.Object)
	key := client.ObjectKeyFromObject(desired)
	err := a.Client.Get(ctx, key, live)
	if apierrors.IsNotFound(err) && beyond != nil {
		err = beyond.Get(ctx, key, live)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, Created, nil
	case err != nil:
		return nil, Unchanged, fmt.Errorf("read %s %s: %w", kind, key, err)
	}
	if owner := metav1.GetControllerOf(desired); owner != nil {
		if current := metav1.GetControllerOf(live); current == nil || current.UID != owner.UID {
			return nil, Unchanged, &ForeignError{Object: desired, Kind: kind}
		}
	}
	return live, Updated, nil
}

// marked is the desired object as it is sent, with the digest of itself.
func marked(desired client.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	annotations := maps.Clone(object.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationApplied] = hex.EncodeToString(sum[:])
	object.SetAnnotations(annotations)
	return object, nil
}

func copyInto(target, from client.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from.GetName(), err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, target)
}
