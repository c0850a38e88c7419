// Package extension_test checks what the module brings for Kyma's dashboard
// and CLI against the CRDs that it is about. Neither reports a mistake in one:
// a field stays empty, or a page isn't there.
package extension_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	functions    = "functions"
	serverlesses = "operator.kyma-project.io"
)

var crds = map[string]string{
	functions:    "serverless.kyma-project.io_functions.yaml",
	serverlesses: "operator.kyma-project.io_serverlesses.yaml",
}

func TestDashboardShowsTheResources(t *testing.T) {
	for name, crd := range crds {
		t.Run(name, func(t *testing.T) {
			for _, mistake := range mistakes(parse(t, installed(t, name)), schema(t, crd)) {
				t.Error(mistake)
			}
		})
	}
}

func TestMistakesInExtensionsAreFound(t *testing.T) {
	for name, test := range map[string]struct{ key, from, to, want string }{
		"widget":          {"details", "CodeViewer", "CodeViewr", "widget CodeViewr"},
		"expression":      {"list", `? "Git"`, `? ? "Git"`, "expression"},
		"source":          {"details", "source: status.currentRevision", "source: status.revision", "status.revision"},
		"condition":       {"details", "$exists(spec.source.inline)", "$exists(spec.sorce.inline)", "spec.sorce"},
		"path":            {"form", "path: spec.env", "path: spec.envs", "spec.envs"},
		"path of a child": {"form", "path: minReplicas", "path: minReplica", "minReplica"},
		"choice":          {"form", "nodejs24", "nodejs25", "nodejs25"},
		"missing text":    {"translations", "  git.url: URL\n", "", "git.url has no text"},
		"unused text":     {"translations", "  git.url: URL\n", "  git.url: URL\n  git.uri: URI\n", "git.uri is not used"},
		"unknown data":    {"details", "$pods()", "$pod()", "$pod"},
		"preset":          {"presets", "runtime: nodejs24", "runtime: nodejs25", "Node.js Function"},
		"preset's field":  {"presets", "dependencies:", "dependency:", "dependency"},
	} {
		t.Run(name, func(t *testing.T) {
			data := installed(t, functions)
			broken := strings.ReplaceAll(data[test.key], test.from, test.to)
			if broken == data[test.key] {
				t.Fatalf("%s has no %q", test.key, test.from)
			}
			data[test.key] = broken
			if found := strings.Join(mistakes(parse(t, data), schema(t, crds[functions])), "\n"); !strings.Contains(found, test.want) {
				t.Errorf("found %q, want %q", found, test.want)
			}
		})
	}
}

// installed returns the data of a ConfigMap of the chart, as its golden file has it, or of the operator's manifest.
func installed(t *testing.T, name string) map[string]string {
	t.Helper()
	var text []byte
	var err error
	if name == serverlesses {
		resources, kustomizeErr := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), root("config", "ui-extensions"))
		if kustomizeErr != nil {
			t.Fatal(kustomizeErr)
		}
		text, err = resources.AsYaml()
	} else {
		text, err = os.ReadFile(root("internal", "module", "testdata", "internal.yaml"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var found corev1.ConfigMap
		if err := yaml.Unmarshal([]byte(document), &found); err == nil && found.Kind == "ConfigMap" && found.Name == name {
			return found.Data
		}
	}
	t.Fatalf("no ConfigMap %s", name)
	return nil
}

func parse(t *testing.T, data map[string]string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	for key, text := range data {
		var value any
		if err := yaml.UnmarshalStrict([]byte(text), &value); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		parsed[key] = value
	}
	return parsed
}

func root(path ...string) string {
	return filepath.Join(append([]string{"..", ".."}, path...)...)
}
