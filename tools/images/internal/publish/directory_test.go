package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyma-project.io/serverless/tools/images/internal/publish"
)

func TestOnePlatformIsUnpacked(t *testing.T) {
	dir := t.TempDir()
	what := join(t, amd64)
	for range 2 { // the second time it is there
		root, err := publish.NewDirectory(dir).Publish(t.Context(), "hello", what)
		if err != nil || root != filepath.Join(dir, "hello") {
			t.Fatalf("got %q, %v", root, err)
		}
	}
	digest, err := what.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if found, err := os.ReadFile(filepath.Join(dir, "hello.digest")); err != nil || string(found) != digest.String() {
		t.Errorf("digest %q, %v", found, err)
	}
	_, err = publish.NewDirectory(dir).Publish(t.Context(), "hello", join(t, amd64, arm64))
	if err == nil || !strings.Contains(err.Error(), "--platform") {
		t.Errorf("several platforms: %v", err)
	}
}
