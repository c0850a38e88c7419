package moduleconfig_test

import (
	"os"
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/moduleconfig"
)

const complete = `name: kyma-project.io/module/serverless
version: 1.2.3
manifest: serverless-operator.yaml
defaultCR: default-serverless-cr.yaml
repository: https://example.com/serverless
documentation: https://example.com/docs
team: kyma/Otters
security: sec-scanners-config.yaml
icons:
  - name: module-icon
    link: https://example.com/icon.svg
manager:
  name: serverless-operator
  namespace: kyma-system
  group: apps
  version: v1
  kind: Deployment
associatedResources:
  - {group: serverless.kyma-project.io, version: v1alpha2, kind: Function}
`

func TestCompleteConfigurationIsRead(t *testing.T) {
	config, err := moduleconfig.Parse("module-config.yaml", []byte(complete), moduleconfig.Override{})
	if err != nil {
		t.Fatal(err)
	}
	if config.Module() != "serverless" || config.Manager.Kind.Kind != "Deployment" || !config.SecurityScanEnabled ||
		config.Icons[0].Link != "https://example.com/icon.svg" || config.AssociatedResources[0].Kind != "Function" {
		t.Errorf("read %+v", config)
	}
}

func TestIconsAreAListOrAMap(t *testing.T) {
	text := strings.Replace(complete, "  - name: module-icon\n    link: https://example.com/icon.svg", "  module-icon: https://example.com/icon.svg", 1)
	config, err := moduleconfig.Parse("module-config.yaml", []byte(text), moduleconfig.Override{})
	if err != nil || len(config.Icons) != 1 || config.Icons[0].Name != "module-icon" {
		t.Errorf("read %+v, %v", config, err)
	}
}

func TestMistakesNameFieldAndLine(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"no component's name":      {"kyma-project.io/module/serverless", "serverless", ":1: name: must be a component's name"},
		"name in upper case":       {"module/serverless", "module/Serverless", ":1: name: must be a component's name"},
		"part of two letters":      {"module/serverless", "module/my-module", ":1: name: must end in a module's name"},
		"name too long":            {"module/", "module/" + strings.Repeat("a", 250) + "/", ":1: name: must be a component's name of at most 255"},
		"version with v":           {"1.2.3", "v1.2.3", ":2: version: must be a semantic version"},
		"version with a plus":      {"1.2.3", "1.2.3+build", ":2: version: must be a version"},
		"version with a dot":       {"1.2.3", "1.2.3-rc.1", ":2: version: must be a version"},
		"version of another type":  {"1.2.3", "[1, 2]", ":2: version: has another type"},
		"no version":               {"version: 1.2.3\n", "", ":1: version: must be a semantic version"},
		"no manifest":              {"manifest: serverless-operator.yaml", "manifest:", ":3: manifest: must not be empty"},
		"absolute manifest":        {"serverless-operator.yaml", "/serverless-operator.yaml", ":3: manifest: must not be an absolute path"},
		"manifest outside":         {"serverless-operator.yaml", "../serverless-operator.yaml", ":3: manifest: must be an https URL or a path"},
		"manifest over http":       {"serverless-operator.yaml", "http://example.com/a.yaml", ":3: manifest: must be an https URL or a path"},
		"absolute default CR":      {"default-serverless-cr.yaml", "/cr.yaml", ":4: defaultCR: must not be an absolute path"},
		"repository over http":     {"https://example.com/serverless", "http://example.com/serverless", ":5: repository: must be an https URL"},
		"no documentation":         {"documentation: https://example.com/docs\n", "", ":1: documentation: must be an https URL"},
		"team of another form":     {"kyma/Otters", "Otters", ":7: team: must have the form"},
		"no team":                  {"team: kyma/Otters\n", "", ":1: team: must not be empty unless"},
		"no icons":                 {"icons:\n  - name: module-icon\n    link: https://example.com/icon.svg", "icons: []", ":9: icons: must contain"},
		"icon over http":           {"https://example.com/icon", "http://example.com/icon", ":10: icons[0]: must link to an https URL"},
		"icon twice":               {"icons:", "icons:\n  - {name: module-icon, link: https://example.com}", ":10: icons: must not contain \"module-icon\" twice"},
		"icon in a map":            {"  - name: module-icon\n    link: https", "  module-icon: http", ":10: icons.module-icon: must link"},
		"manager without name":     {"  name: serverless-operator\n", "", ":1: manager.name: must not be empty"},
		"manager without kind":     {"kind: Deployment", "kind:", ":17: manager.kind: must not be empty"},
		"manager in no namespace":  {"namespace: kyma-system", "namespace: Kyma_System", ":14: manager.namespace: must be a namespace"},
		"resource without version": {"version: v1alpha2, ", "", ":1: associatedResources[0].version: must not be empty"},
		"field twice":              {"team: kyma/Otters", "team: kyma/Otters\nteam: kyma/Others", ":8: team: must not be given twice"},
		"bool of another type":     {"team: kyma/Otters", "team: kyma/Otters\nbeta: maybe", ":8: beta: has another type"},
		"resource over http":       {"team: kyma/Otters", "team: kyma/Otters\nresources: [{name: rawManifest, link: 'http://a'}]", ":8: resources[0]: must link"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(complete, test.old, test.new, 1)
			if text == complete {
				t.Fatalf("%q is not there to be replaced", test.old)
			}
			_, err := moduleconfig.Parse("module-config.yaml", []byte(text), moduleconfig.Override{})
			if err == nil || !strings.Contains(err.Error(), "module-config.yaml"+test.want) {
				t.Errorf("got %v\nwant an error with %q", err, test.want)
			}
		})
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	_, err := moduleconfig.Parse("c.yaml", []byte("name: a\nversion: b\n"), moduleconfig.Override{})
	for _, field := range []string{"name", "version", "manifest", "repository", "documentation", "icons", "team"} {
		if err == nil || !strings.Contains(err.Error(), ": "+field+": ") {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}

func TestTeamIsOptionalWithoutScan(t *testing.T) {
	text := strings.Replace(complete, "team: kyma/Otters", "securityScanEnabled: false", 1)
	if _, err := moduleconfig.Parse("c.yaml", []byte(text), moduleconfig.Override{}); err != nil {
		t.Error(err)
	}
}

func TestReleaseDecidesTheVersion(t *testing.T) {
	config, err := moduleconfig.Parse("c.yaml", []byte(complete), moduleconfig.Override{Version: "2.0.0"})
	if err != nil || config.Version != "2.0.0" {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestConfigurationOfThisModuleKeepsToTheRules(t *testing.T) {
	const file = "../../module-config.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := moduleconfig.Parse(file, text, moduleconfig.Override{}); err != nil {
		t.Error(err)
	}
}
