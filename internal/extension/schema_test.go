package extension_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// fields are those of a resource, as its CRD describes them.
type fields apiextensionsv1.JSONSchemaProps

func schema(t *testing.T, crd string) *fields {
	t.Helper()
	text, err := os.ReadFile(root("config", "crd", "bases", crd))
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &definition); err != nil {
		t.Fatal(err)
	}
	return (*fields)(definition.Spec.Versions[0].Schema.OpenAPIV3Schema)
}

// find returns the field of a path such as spec.env[].name, nil if there is none.
// The fields of a list's items are found without brackets, too, as JSONata does.
func (f *fields) find(path string) *fields {
	current := (*apiextensionsv1.JSONSchemaProps)(f)
	for name := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ""), ".") {
		if current.Items != nil {
			current = current.Items.Schema
		}
		next, ok := current.Properties[name]
		if !ok {
			return nil
		}
		current = &next
	}
	return (*fields)(current)
}

func (f *fields) choices() []string {
	var choices []string
	for _, choice := range f.Enum {
		var text string
		if json.Unmarshal(choice.Raw, &text) == nil {
			choices = append(choices, text)
		}
	}
	return choices
}

// validate returns what the API server would refuse by the schema, and the fields that it would drop.
func (f *fields) validate(object any) []string {
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps((*apiextensionsv1.JSONSchemaProps)(f), &internal, nil); err != nil {
		return []string{err.Error()}
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, refused := range validation.ValidateCustomResource(field.NewPath(""), object, validator) {
		found = append(found, refused.Error())
	}
	return append(found, f.unknown("", object)...)
}

func (f *fields) unknown(parent string, object any) []string {
	values, _ := object.(map[string]any)
	if len(f.Properties) == 0 {
		return nil
	}
	var found []string
	for name, value := range values {
		property, ok := f.Properties[name]
		if !ok {
			found = append(found, fmt.Sprintf("no field %s.%s", parent, name))
			continue
		}
		found = append(found, (*fields)(&property).unknown(parent+"."+name, value)...)
	}
	return found
}
