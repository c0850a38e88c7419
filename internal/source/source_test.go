package source_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

const lodash = `{"dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`

func TestEqualNeedsGiveEqualManifests(t *testing.T) {
	for name, test := range map[string]struct {
		dependencies string
		same         bool
	}{
		"other order":               {`{"dependencies": {"axios": "1.7.0", "lodash": "^4.17.0"}}`, true},
		"other space":               {"{\n\t\"dependencies\": {\"lodash\":\"^4.17.0\",\"axios\":\"1.7.0\"}\n}\n", true},
		"other name and version":    {`{"name": "x", "version": "2.0.0", "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, true},
		"a test script":             {`{"scripts": {"test": "jest"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, true},
		"dependencies to develop":   {`{"devDependencies": {"jest": "29"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, true},
		"empty and null fields":     {`{"overrides": {}, "engines": null, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, true},
		"ESM":                       {`{"type": "module", "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, true},
		"other version of a need":   {`{"dependencies": {"lodash": "^4.17.1", "axios": "1.7.0"}}`, false},
		"one need more":             {`{"dependencies": {"lodash": "^4.17.0", "axios": "1.7.0", "ms": "2"}}`, false},
		"a preinstall script":       {`{"scripts": {"preinstall": "x"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, false},
		"overrides":                 {`{"overrides": {"ms": "2"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, false},
		"an optional dependency":    {`{"optionalDependencies": {"ms": "2"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, false},
		"the same need, peer":       {`{"peerDependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, false},
		"engines, which npm checks": {`{"engines": {"node": ">=22"}, "dependencies": {"lodash": "^4.17.0", "axios": "1.7.0"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := manifest(t, lodash), manifest(t, test.dependencies)
			if bytes.Equal(first, second) != test.same {
				t.Errorf("equal manifests: %v, want %v:\n%s\n%s", !test.same, test.same, first, second)
			}
		})
	}
}

func TestCodeThatNeedsNothingHasNoManifest(t *testing.T) {
	for name, dependencies := range map[string]string{
		"no text":                      "",
		"space":                        " \n",
		"empty object":                 "{}",
		"empty dependencies":           `{"name": "x", "dependencies": {}}`,
		"null dependencies":            `{"dependencies": null}`,
		"only to develop":              `{"devDependencies": {"jest": "29"}}`,
		"scripts that do not install":  `{"scripts": {"test": "jest", "start": "node ."}}`,
		"overrides of nothing":         `{"overrides": {"ms": "2"}}`,
		"only what the code itself is": `{"name": "x", "type": "module", "engines": {"node": "22"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := manifest(t, dependencies); got != nil {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestMalformedDependenciesNameTheField(t *testing.T) {
	for name, dependencies := range map[string]string{
		"not closed":          `{"dependencies": {"a": "1"}`,
		"comma at the end":    `{"dependencies": {"a": "1",}}`,
		"two objects":         `{} {}`,
		"comment":             `{/* none */}`,
		"number too large":    `{"dependencies": {"a": 1e999}}`,
		"an array at the top": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := source.Inline(inline("x", dependencies), nodejs22(t))
			if err == nil || !strings.Contains(err.Error(), "package.json") {
				t.Fatalf("got %v, want an error that names package.json", err)
			}
			if !strings.Contains(err.Error(), "spec.source.inline.dependencies") {
				t.Errorf("got %q, want it to say what to correct", err)
			}
		})
	}
}

func TestUsersFilesGoIntoTheImageAsWritten(t *testing.T) {
	const text = "{ \"name\": \"mine\",  \"type\": \"module\" }\n"
	src, err := source.Inline(inline("export const main = () => 1", text), nodejs22(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(src.Files["handler.js"]); got != "export const main = () => 1" {
		t.Errorf("handler.js is %q", got)
	}
	if got := string(src.Files["package.json"]); got != text {
		t.Errorf("package.json is %q", got)
	}
	empty, err := source.Inline(inline("x", ""), nodejs22(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(empty.Files["package.json"]); got != "{}" {
		t.Errorf("package.json without dependencies is %q, which Node.js would refuse", got)
	}
}

func TestDigestTellsSourcesApart(t *testing.T) {
	base := map[string]string{"a": "bc", "d": "e"}
	for name, test := range map[string]struct {
		files map[string]string
		same  bool
	}{
		"the same":                         {map[string]string{"d": "e", "a": "bc"}, true},
		"other content":                    {map[string]string{"a": "bx", "d": "e"}, false},
		"other path":                       {map[string]string{"b": "bc", "d": "e"}, false},
		"the end of one moved to the next": {map[string]string{"a": "bc1 d 1 e"}, false},
		"a file less":                      {map[string]string{"a": "bc"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := digest(base) == digest(test.files); got != test.same {
				t.Errorf("equal digests: %v, want %v", got, test.same)
			}
		})
	}
}

// A manifest is what npm is given: it must be JSON, need something and stand for itself.
func FuzzInlineDependencies(f *testing.F) {
	for _, seed := range []string{
		lodash, "", "{}", "null", "[]", `{"scripts": "x"}`, `{"dependencies": "x"}`, `{"dependencies": {"a": -0, "b": 1e21}}`,
		`{"dependencies": {"a": "1"}, "dependencies": null}`, `{"workspaces": ["a"]}`, `{"overrides": {"a": {".": "1", "b": "$b"}}}`,
		"{\"dependencies\": {\"\xff\": \"\\ud800\"}}", strings.Repeat(`{"dependencies":`, 100),
	} {
		f.Add(seed)
	}
	rt := nodejs22(f)
	f.Fuzz(func(t *testing.T, dependencies string) {
		src, err := source.Inline(inline("x", dependencies), rt)
		if err != nil {
			return
		}
		if src.Dependencies == nil {
			return
		}
		if !json.Valid(src.Dependencies) {
			t.Fatalf("%q gives the manifest %q", dependencies, src.Dependencies)
		}
		again, err := source.Inline(inline("x", string(src.Dependencies)), rt)
		if err != nil || !bytes.Equal(again.Dependencies, src.Dependencies) {
			t.Fatalf("the manifest %q gives another one: %q, %v", src.Dependencies, again.Dependencies, err)
		}
	})
}

func manifest(t *testing.T, dependencies string) source.Manifest {
	t.Helper()
	src, err := source.Inline(inline("x", dependencies), nodejs22(t))
	if err != nil {
		t.Fatal(err)
	}
	return src.Dependencies
}

func inline(text, dependencies string) *v1alpha2.InlineSource {
	return &v1alpha2.InlineSource{Source: text, Dependencies: dependencies}
}

func nodejs22(t testing.TB) runtime.Runtime {
	t.Helper()
	rt, err := runtime.Catalog{"nodejs22": "registry.local/nodejs22:1"}.Lookup("nodejs22", "")
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func digest(files map[string]string) string {
	src := source.Source{Files: map[string][]byte{}}
	for path, content := range files {
		src.Files[path] = []byte(content)
	}
	return src.Digest()
}
