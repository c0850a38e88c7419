package extension_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/template"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

const commands = "serverless.function.cli"

var actions = []string{"resource_create", "resource_get", "resource_delete", "resource_explain", "function_init"}

type command struct {
	Metadata    struct{ Name, Description, DescriptionLong string }
	Uses        string
	SubCommands []command
	Args        *struct{ Optional bool }
	Flags       []struct {
		Type, Name, Description string
		Default                 *string
	}
	With map[string]any
}

func TestCommandsOfTheCLIAreComplete(t *testing.T) {
	var names []string
	for name, command := range executable(t) {
		names = append(names, name)
		if !slices.Contains(actions, command.Uses) {
			t.Errorf("%s uses %s", name, command.Uses)
		}
		if command.Metadata.Description == "" || command.Metadata.DescriptionLong == "" {
			t.Errorf("%s has no description", name)
		}
		fill(t, name, command, nil)
	}
	slices.Sort(names)
	want := []string{"function create nodejs", "function create python", "function delete", "function explain", "function get", "function init nodejs", "function init python"}
	if !slices.Equal(names, want) {
		t.Errorf("commands %v, want %v", names, want)
	}
}

func TestFunctionsThatTheCLICreatesAreValid(t *testing.T) {
	for _, name := range []string{"function create nodejs", "function create python"} {
		for _, given := range []map[string]any{
			nil,
			{"env": map[string]any{"A": "1"}, "secretmount": map[string]any{"token": "/token"}, "source": "one\n  two\n\nthree\n"},
		} {
			resource := fill(t, name, executable(t)[name], given)["resource"]
			for _, err := range schema(t, crds[functions]).validate(resource) {
				t.Errorf("%s with %v: %s", name, given, err)
			}
			spec := resource.(map[string]any)["spec"].(map[string]any)
			for key, want := range map[string]string{"env": "A", "secretMounts": "/token"} {
				if text := fmt.Sprint(spec[key]); given != nil && !strings.Contains(text, want) {
					t.Errorf("%s: %s is %s, want %s", name, key, text, want)
				}
			}
			source := spec["source"].(map[string]any)["inline"].(map[string]any)["source"]
			if want, ok := given["source"].(string); ok && strings.TrimRight(fmt.Sprint(source), "\n") != strings.TrimRight(want, "\n") {
				t.Errorf("%s: source %q, want %q", name, source, want)
			}
		}
	}
}

// executable returns the commands that do something, by what a user types.
func executable(t *testing.T) map[string]command {
	t.Helper()
	var top command
	if err := yaml.Unmarshal([]byte(installed(t, commands)["kyma-commands.yaml"]), &top); err != nil {
		t.Fatal(err)
	}
	found := map[string]command{}
	var walk func(prefix string, c command)
	walk = func(prefix string, c command) {
		word, _, _ := strings.Cut(c.Metadata.Name, " ")
		name := strings.TrimSpace(prefix + " " + word)
		if c.Uses != "" {
			found[name] = c
		}
		for _, child := range c.SubCommands {
			walk(name, child)
		}
	}
	walk("", top)
	return found
}

// fill does with a command's configuration what the CLI does: it writes it as
// YAML with an indentation of four, and fills in flags and the argument.
func fill(t *testing.T, name string, c command, given map[string]any) map[string]any {
	t.Helper()
	flags := map[string]any{}
	for _, flag := range c.Flags {
		key := strings.ReplaceAll(flag.Name, "-", "")
		var value any
		if flag.Default != nil {
			value = *flag.Default
		}
		if flag.Type == "map" {
			value = map[string]any(nil)
		}
		if override, ok := given[key]; ok {
			value = override
		}
		flags[key] = map[string]any{"value": value}
	}
	text, err := yamlv3.Marshal(c.With)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := template.New(name).Delims("${{", "}}").Option("missingkey=error").Funcs(template.FuncMap{
		"newLineIndent": func(indent int, text string) string {
			return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent))
		},
		"toEnvs": func(values map[string]any) (string, error) {
			return list(`{"name":"{{.key}}","value":"{{.value}}"}`, values)
		},
		"toArray": list,
	}).Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var filled bytes.Buffer
	if err := parsed.Execute(&filled, map[string]any{"flags": flags, "args": map[string]any{"value": "example"}}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var with map[string]any
	if err := yaml.Unmarshal(filled.Bytes(), &with); err != nil {
		t.Fatalf("%s: %v in\n%s", name, err, filled.String())
	}
	return with
}

// list writes the values as a YAML list, each by the template.
func list(format string, values map[string]any) (string, error) {
	each, err := template.New("each").Parse(format)
	if err != nil {
		return "", err
	}
	var items []string
	for key, value := range values {
		var item bytes.Buffer
		if err := each.Execute(&item, map[string]any{"key": key, "value": value}); err != nil {
			return "", err
		}
		items = append(items, item.String())
	}
	return "[" + strings.Join(items, ",") + "]", nil
}
