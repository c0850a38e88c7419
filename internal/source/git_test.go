package source_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/source"
)

func TestGitSourceIsIdentifiedByItsContent(t *testing.T) {
	rt := nodejs22(t)
	at := func(commit string) source.Source {
		return source.Git(source.Revision{URL: "https://git.local/a", Commit: commit, BaseDir: "/"})
	}
	if at("1").Digest() == at("2").Digest() {
		t.Error("two commits have one digest before they were fetched")
	}
	first, err := at("1").Fetched("sha256:1", `{"dependencies": {"ms": "1"}}`, "", rt)
	if err != nil {
		t.Fatal(err)
	}
	same, err := at("2").Fetched("sha256:1", `{"dependencies": {"ms": "1"}, "name": "a"}`, "", rt)
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest() != same.Digest() || string(first.Dependencies) != string(same.Dependencies) {
		t.Errorf("equal files have the digests %s and %s", first.Digest(), same.Digest())
	}
	if other, _ := at("1").Fetched("sha256:2", "{}", "", rt); other.Digest() == first.Digest() {
		t.Error("other files have the same digest")
	}
}

func TestDependenciesInGitThatAreNone(t *testing.T) {
	_, err := source.Git(source.Revision{BaseDir: "/orders"}).Fetched("sha256:1", "{", "", nodejs22(t))
	if err == nil || !strings.Contains(err.Error(), "correct package.json in directory /orders of the repository") {
		t.Errorf("got %v", err)
	}
}

func TestLockOfTheDependencies(t *testing.T) {
	lock := func(text string) source.Lock { return source.LockOf("package-lock.json", []byte(text)) }
	first := lock(`{"name": "a", "version": "1.0.0", "packages": {"": {"name": "a", "version": "1.0.0"}, "node_modules/ms": {"version": "2.1.3"}}}`)
	if lock(`{"packages": {"node_modules/ms": {"version": "2.1.3"}, "": {"version": "1.0.1"}}, "version": "1.0.1"}`) != first {
		t.Error("another version of the package itself is another lock")
	}
	if lock(`{"packages": {"": {}, "node_modules/ms": {"version": "2.1.2"}}}`) == first || lock(`{`) == lock(`{{`) {
		t.Error("another version of a dependency is the same lock")
	}
	for name, test := range map[string]struct {
		dependencies, label string
		want                source.Lock
		fails               bool
	}{
		"with dependencies":   {`{"dependencies": {"ms": "2"}}`, first.String(), first, false},
		"nothing to install":  {`{}`, first.String(), source.Lock{}, false},
		"no lock file":        {`{"dependencies": {"ms": "2"}}`, source.Lock{}.String(), source.Lock{}, false},
		"a label that's none": {`{"dependencies": {"ms": "2"}}`, "package-lock.json", source.Lock{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			fetched, err := source.Git(source.Revision{BaseDir: "/"}).Fetched("sha256:1", test.dependencies, test.label, nodejs22(t))
			if fetched.Lock != test.want || (err != nil) != test.fails {
				t.Errorf("got %+v, %v", fetched.Lock, err)
			}
		})
	}
}
