package extension_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

// jsonataVersion is of the library that the dashboard evaluates expressions with.
const jsonataVersion = "2.2.2"

// sample is a resource as the dashboard gets it.
type sample struct {
	// From is a file with an example, Status what the controller says of it.
	From   string         `json:"from"`
	Kind   string         `json:"kind"`
	Spec   map[string]any `json:"spec"`
	Status map[string]any `json:"status"`
	// Items are what a data source finds in the namespace, by its name.
	Items map[string][]any `json:"items"`
}

// evaluation is one expression with what it is about.
type evaluation struct {
	Place      string `json:"place"`
	Expression string `json:"expression"`
	Input      any    `json:"input"`
	Item       any    `json:"item"`
}

// What a page shows is reviewed in the golden files: a value for each
// expression, "nothing" where the row stays empty.
func TestExpressionsGiveWhatAPageShows(t *testing.T) {
	library := installJSONata(t)
	for name, extension := range map[string]string{
		"running": functions, "failing": functions, "git": functions, "serverless": serverlesses,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var given sample
			if err := yaml.UnmarshalStrict(text, &given); err != nil {
				t.Fatal(err)
			}
			all := evaluations(parse(t, installed(t, extension)), given.resource(t), given.Items)
			got := evaluate(t, library, all)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || string(want) != got {
				t.Errorf("%v; the page shows\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// resource is the sample's example with its status.
func (s sample) resource(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(root(s.From))
	if err != nil {
		t.Fatal(err)
	}
	var made map[string]any
	if err := yaml.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	made["metadata"].(map[string]any)["namespace"] = "shop"
	if s.Spec != nil {
		made["spec"] = s.Spec
	}
	made["status"] = s.Status
	return made
}

// evaluations are all expressions of an extension, in the order of their places.
func evaluations(extension map[string]any, resource map[string]any, items map[string][]any) []evaluation {
	var all []evaluation
	var walk func(place string, part any, input any, item any)
	walk = func(place string, part, input, item any) {
		switch part := part.(type) {
		case []any:
			for index, child := range part {
				walk(fmt.Sprintf("%s[%d]", place, index), child, input, item)
			}
		case map[string]any:
			if name, ok := part["name"].(string); ok {
				place += " " + name
			}
			for _, key := range expressions {
				text, ok := part[key].(string)
				if ok && !sourceOf.MatchString(text) && key != "filter" {
					all = append(all, evaluation{place + " " + key, text, input, item})
				}
			}
			for _, key := range []string{"status", "header", "body", "children"} {
				child := item
				if rows, ok := at(resource, part["source"]).([]any); ok && key == "children" && len(rows) > 0 {
					child = rows[0]
				}
				walk(place, part[key], input, child)
			}
		}
	}
	for _, key := range []string{"list", "details", "form"} {
		walk(key, extension[key], resource, nil)
	}
	sources, _ := extension["dataSources"].(map[string]any)
	for name, source := range sources {
		filter, _ := source.(map[string]any)["filter"].(string)
		for index, item := range items[name] {
			all = append(all, evaluation{fmt.Sprintf("%s finds %d", name, index), filter, resource, item})
		}
	}
	slices.SortStableFunc(all, func(a, b evaluation) int {
		return strings.Compare(strings.Fields(a.Place)[0], strings.Fields(b.Place)[0])
	})
	return all
}

// at is the value of a plain path, nil for any other expression.
func at(value any, path any) any {
	text, _ := path.(string)
	for name := range strings.SplitSeq(text, ".") {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

// script evaluates as the dashboard does: $item and $root are bound, and its
// own functions are not needed by what is evaluated here.
const script = `
const jsonata = require('jsonata');
const all = JSON.parse(require('fs').readFileSync(0, 'utf8'));
(async () => {
  for (const { place, expression, input, item } of all) {
    let shown;
    try {
      const value = await jsonata(expression).evaluate(input, { item: item ?? undefined, root: input });
      shown = value === undefined ? 'nothing' : JSON.stringify(value);
    } catch (error) {
      shown = 'ERROR ' + error.code + ' ' + error.message;
    }
    console.log(place + ': ' + shown);
  }
})();
`

func evaluate(t *testing.T, library string, all []evaluation) string {
	t.Helper()
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "-e", script)
	command.Dir, command.Stdin = library, bytes.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if strings.Contains(string(output), ": ERROR ") {
		t.Errorf("expressions fail:\n%s", output)
	}
	return string(output)
}

func installJSONata(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	command := exec.CommandContext(t.Context(), "npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "jsonata@"+jsonataVersion)
	command.Dir = directory
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("install jsonata: %v\n%s", err, output)
	}
	return directory
}
