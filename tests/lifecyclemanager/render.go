package lifecyclemanager

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// syncNamespace is where lifecycle-manager works in a cluster.
const syncNamespace = "kyma-system"

// objects are those of the manifest, with the labels that lifecycle-manager
// overwrites, and localized images (contract/kyma.md 1.3, 7 and 8).
func (b *bundle) objects(module string) ([]*unstructured.Unstructured, error) {
	localized := map[string]string{}
	for _, image := range b.images {
		localized[nameAndTag(image)] = image
	}
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(b.manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		label(object, module)
		if err := localize(object, localized); err != nil {
			return nil, fmt.Errorf("localize %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		objects = append(objects, object)
	}
}

func label(object *unstructured.Unstructured, module string) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["operator.kyma-project.io/managed-by"] = "kyma"
	labels["app.kubernetes.io/component"] = module
	labels["app.kubernetes.io/part-of"] = "Kyma"
	object.SetLabels(labels)
}

// localize replaces images and variables of the containers by the images of
// the same name and tag.
func localize(object *unstructured.Unstructured, localized map[string]string) error {
	if object.GetKind() != "Deployment" && object.GetKind() != "StatefulSet" {
		return nil
	}
	for _, field := range []string{"containers", "initContainers"} {
		path := []string{"spec", "template", "spec", field}
		containers, found, err := unstructured.NestedSlice(object.Object, path...)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		for _, container := range containers {
			fields, isMap := container.(map[string]any)
			if !isMap {
				return fmt.Errorf("%s: not a container: %v", field, container)
			}
			replace(fields, "image", localized)
			variables, _ := fields["env"].([]any)
			for _, variable := range variables {
				if variable, isMap := variable.(map[string]any); isMap {
					replace(variable, "value", localized)
				}
			}
		}
		if err := unstructured.SetNestedSlice(object.Object, containers, path...); err != nil {
			return err
		}
	}
	return nil
}

func replace(fields map[string]any, key string, localized map[string]string) {
	text, _ := fields[key].(string)
	if image, found := localized[nameAndTag(text)]; found {
		fields[key] = image
	}
}

// nameAndTag of an image, without the registry, the path and the digest.
func nameAndTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	return image[strings.LastIndex(image, "/")+1:]
}
