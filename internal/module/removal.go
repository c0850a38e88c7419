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

// Removal tells how far a removal has come: what is being done, and the first
// of the objects that a finalizer holds although it is being deleted.
func Removal(doing string, objects []metav1.PartialObjectMetadata) string {
	for _, object := range objects {
		if object.DeletionTimestamp == nil || len(object.Finalizers) == 0 {
			continue
		}
		name := object.Name
		if object.Namespace != "" {
			name = object.Namespace + "/" + name
		}
		return fmt.Sprintf("%s: %s %s, held by finalizer %s", doing, object.Kind, name, strings.Join(object.Finalizers, ", "))
	}
	return doing
}
