package module_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

func TestEveryFieldOfTheSpecIsInItsReference(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "user", "serverless-resource.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields(reflect.TypeFor[v1alpha1.ServerlessSpec](), "") {
		if !strings.Contains(string(page), "\n| `"+field+"` |") {
			t.Errorf("docs/user/serverless-resource.md has no row for %s", field)
		}
	}
}

// fields are the paths of a structure's fields, as a manifest writes them.
func fields(structure reflect.Type, prefix string) []string {
	var paths []string
	for i := range structure.NumField() {
		field := structure.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			paths = append(paths, fields(inner, prefix+name+".")...)
		} else {
			paths = append(paths, prefix+name)
		}
	}
	return paths
}
