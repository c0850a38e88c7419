package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/image"
)

func TestPushPublishesWhatWasInstalled(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "node_modules/ms"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "node_modules/ms/package.json"), []byte(`{"name":"ms","version":"2.1.3"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	reference := strings.TrimPrefix(server.URL, "http://") + "/shop.dependencies:1"
	args := []string{"push", "--root=" + root, "--entry=node_modules", "--directory=/function", "--to=" + reference, "--plain-http", "--packages"}
	if err := run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := remote.Image(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if layers, err := pushed.Layers(); err != nil || len(layers) != 1 {
		t.Errorf("%d layers, %v; want one", len(layers), err)
	}
	config, err := pushed.ConfigFile()
	if err != nil || config.Config.Labels[image.PackagesLabel] != `{"packages":[{"type":"npm","name":"ms","version":"2.1.3"}]}` {
		t.Errorf("labels %v, %v; want the packages", config.Config.Labels, err)
	}
}

// The message becomes the condition of the Function.
func TestPushSaysWhatFailed(t *testing.T) {
	server := httptest.NewServer(registry.New())
	host := strings.TrimPrefix(server.URL, "http://")
	defer server.Close()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no command":        {nil, "usage: builder push"},
		"another command":   {[]string{"fly"}, "usage: builder push"},
		"nothing installed": {arguments("--root="+t.TempDir(), "--entry=node_modules", "--to="+host+"/a:1", "--plain-http"), "node_modules"},
		"no reference":      {arguments("--to="), "parse image reference"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func arguments(flags ...string) []string { return append([]string{"push"}, flags...) }
