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
	first, err := at("1").Fetched("sha256:1", `{"dependencies": {"ms": "1"}}`, rt)
	if err != nil {
		t.Fatal(err)
	}
	same, err := at("2").Fetched("sha256:1", `{"dependencies": {"ms": "1"}, "name": "a"}`, rt)
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest() != same.Digest() || string(first.Dependencies) != string(same.Dependencies) {
		t.Errorf("equal files have the digests %s and %s", first.Digest(), same.Digest())
	}
	if other, _ := at("1").Fetched("sha256:2", "{}", rt); other.Digest() == first.Digest() {
		t.Error("other files have the same digest")
	}
}

func TestDependenciesInGitThatAreNone(t *testing.T) {
	_, err := source.Git(source.Revision{BaseDir: "/orders"}).Fetched("sha256:1", "{", nodejs22(t))
	if err == nil || !strings.Contains(err.Error(), "correct package.json in directory /orders of the repository") {
		t.Errorf("got %v", err)
	}
}
