package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ImageVariablePrefix begins the names of the variables with the images that
// the operator installs.
const ImageVariablePrefix = "IMAGE_"

// Parse reads a manifest's objects.
func Parse(text []byte) ([]*unstructured.Unstructured, error) {
	objects, err := utils.ReadObjects(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	return objects, nil
}

// Workload is a Deployment or a StatefulSet: where lifecycle-manager looks for
// images, and what it takes for the module's state.
type Workload struct {
	*unstructured.Unstructured
	Pod corev1.PodTemplateSpec
}

// Workloads are those among a manifest's objects.
func Workloads(objects []*unstructured.Unstructured) ([]Workload, error) {
	var found []Workload
	for _, object := range objects {
		if object.GetKind() != "Deployment" && object.GetKind() != "StatefulSet" {
			continue
		}
		template, _, err := unstructured.NestedMap(object.Object, "spec", "template")
		workload := Workload{Unstructured: object}
		if err == nil {
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(template, &workload.Pod)
		}
		if err != nil {
			return nil, fmt.Errorf("read Pod template of %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		found = append(found, workload)
	}
	return found, nil
}

// Containers are all of a workload, those that initialize included.
func (w Workload) Containers() []corev1.Container {
	return slices.Concat(w.Pod.Spec.InitContainers, w.Pod.Spec.Containers)
}

// Images are the images that workloads name, in order and each once: as the
// image of a container, and in environment variables, where lifecycle-manager
// replaces them.
func Images(workloads []Workload) []string {
	var images []string
	for _, workload := range workloads {
		for _, container := range workload.Containers() {
			images = append(images, container.Image)
			for _, variable := range container.Env {
				if PassesForImage(variable.Value) && CheckImage(variable.Value) == nil {
					images = append(images, variable.Value)
				}
			}
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// PassesForImage tells whether Kyma's tools take the value of an environment
// variable for an image's reference (contract section 2.2).
func PassesForImage(value string) bool {
	return len(value) >= 3 && len(value) <= 256 && strings.ContainsAny(value, ":@") && !strings.ContainsAny(value, " \t\r\n")
}

// CheckImage tells what is wrong with an image's reference in a manifest.
func CheckImage(reference string) error {
	parsed, err := name.ParseReference(reference, name.WithDefaultTag(""))
	if err != nil {
		return fmt.Errorf("%q is no image reference", reference)
	}
	switch parsed.Identifier() {
	case "":
		return fmt.Errorf("image %q has no tag", reference)
	case "latest", "main":
		return fmt.Errorf("image %q has a tag that moves", reference)
	}
	return nil
}
