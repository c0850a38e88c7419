package image_test

import (
	"errors"
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/image"
)

func TestReferencesWithDigestsAreCopied(t *testing.T) {
	server := start(t)
	tagged := server.release(t)
	var bases image.Bases
	base, err := bases.Ensure(t.Context(), server.client, tagged)
	if err != nil {
		t.Fatal(err)
	}
	repository, _, _ := strings.Cut(tagged, ":1")
	for _, reference := range []string{tagged + "@" + base.Digest, repository + "@" + base.Digest} {
		again, err := bases.Ensure(t.Context(), server.client, reference)
		if err != nil || again.Digest != base.Digest {
			t.Errorf("%s: %s, %v", reference, again.Digest, err)
		}
	}
}

func TestNodesPullCopiesFromTheFunctionsRegistry(t *testing.T) {
	server := start(t)
	reference := server.release(t)
	var bases image.Bases
	base, err := bases.Ensure(t.Context(), server.client, reference)
	if err != nil {
		t.Fatal(err)
	}
	want := "localhost:32137/runtimes@" + base.Digest
	for _, lost := range []bool{false, true} {
		if lost {
			server.lose(t)
			server.release(t)
		}
		got, err := bases.PullReference(t.Context(), server.client, reference)
		if err != nil || (got != want && !lost) {
			t.Fatalf("lost %t: %s, %v; want %s", lost, got, err, want)
		}
		server.pull(t, "runtimes", strings.TrimPrefix(got, "localhost:32137/runtimes@"))
	}
}

// Who may name an image must not get at all that the module may read.
func TestCredentialsAreNotForImagesOfUsers(t *testing.T) {
	server := start(t)
	reference := server.release(t)
	bases := image.Bases{Foreign: func(asked string) bool { return asked == reference }}
	_, err := bases.Ensure(t.Context(), server.client, reference)
	if _, refused := errors.AsType[*image.UnavailableError](err); !refused {
		t.Errorf("%v, want that the registry refuses", err)
	}
	bases.Foreign = func(string) bool { return false }
	if _, err := bases.Ensure(t.Context(), server.client, reference); err != nil {
		t.Error(err)
	}
}
