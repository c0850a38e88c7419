package source_test

import (
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

func TestRequirementsAreWhatPipReadsOfThem(t *testing.T) {
	catalog := runtime.Catalog{"python313": "image"}
	python, err := catalog.Lookup("python313", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"none":               {"", ""},
		"comments only":      {"# nothing\n\n  # here\r\n", ""},
		"comments and space": {"# why\r\nrequests==2.32.3  \r\n\r\n", "requests==2.32.3\n"},
		"a comment after":    {"a==1 # the last good one", "a==1 # the last good one\n"},
		"order":              {"--index-url https://pypi.example\nb\na", "--index-url https://pypi.example\nb\na\n"},
		"hashes": {"a==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n# via b\nb==2\n",
			"a==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\nb==2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := source.Inline(&v1alpha2.InlineSource{Source: "def main(e, c): pass", Dependencies: test.text}, python)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Dependencies) != test.want {
				t.Errorf("got  %q\nwant %q", got.Dependencies, test.want)
			}
			if string(got.Files["requirements.txt"]) != test.text || got.Files["handler.py"] == nil {
				t.Errorf("files are %q", got.Files)
			}
		})
	}
}
