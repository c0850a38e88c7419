package module

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NamedFunctions is how many Functions a message names.
const NamedFunctions = 5

// Functions are those that block the uninstallation.
type Functions struct {
	Count int
	// First names up to NamedFunctions of them, with their namespaces.
	First []string
}

// String counts the Functions and names the first.
func (f Functions) String() string {
	text := fmt.Sprintf("found %d items with VersionKind serverless.kyma-project.io/v1alpha2", f.Count)
	if len(f.First) == 0 {
		return text
	}
	text += ": " + strings.Join(f.First, ", ")
	if more := f.Count - len(f.First); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// RemovalStep is what an uninstallation does, in the words that users see.
type RemovalStep string

const (
	// RemovalOfSecrets comes first: with them the function controller removes its copies.
	RemovalOfSecrets RemovalStep = "Deleting secrets"
	// RemovalOfAll is everything else, and what is said before anything goes.
	RemovalOfAll RemovalStep = "Uninstalling"
)

// Removal is how far an uninstallation has come.
type Removal struct {
	Step RemovalStep
	// Held is the first of the objects that a finalizer holds although it is
	// being deleted.
	Held string
}

// RemovalOf tells about objects that a step deletes.
func RemovalOf(step RemovalStep, objects []metav1.PartialObjectMetadata) Removal {
	for _, object := range objects {
		if object.DeletionTimestamp == nil || len(object.Finalizers) == 0 {
			continue
		}
		name := object.Name
		if object.Namespace != "" {
			name = object.Namespace + "/" + name
		}
		return Removal{Step: step, Held: fmt.Sprintf("%s %s, held by finalizer %s", object.Kind, name, strings.Join(object.Finalizers, ", "))}
	}
	return Removal{Step: step}
}

// Done says that nothing is left.
func (r Removal) Done() bool { return r.Step == "" }

// String is the message of the condition Deleted.
func (r Removal) String() string {
	if r.Held == "" {
		return string(r.Step)
	}
	return string(r.Step) + ": " + r.Held
}
