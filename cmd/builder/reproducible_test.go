package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/tests/ociregistry"
)

// Two clusters that never met: another registry each, and files that were
// installed at another time, in another order.
func TestEqualInputsGiveEqualDigestsInTwoRegistries(t *testing.T) {
	own, external := startOwn(t), startExternal(t, ociregistry.Basic)
	reference := release(t)
	files := []string{"a/index.js", "a/package.json", "b/index.js", ".lock.json"}
	var seen [2][3]string
	for i, cluster := range []struct {
		client    *image.Registry
		to        string
		plainHTTP bool
	}{
		{own, own.PushReference("shop.dependencies", "1"), true},
		{connect(t, external, "/team"), external.Host + "/team/shop.dependencies:1", false},
	} {
		root := t.TempDir()
		for j := range files {
			// Forth and back.
			file := filepath.Join(root, "node_modules", files[j*(1-2*i)+i*(len(files)-1)])
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(filepath.Base(file)), 0o644); err != nil {
				t.Fatal(err)
			}
			at := time.Unix(int64(1_000_000*(i+1)+j), 0)
			if err := os.Chtimes(file, at, at); err != nil {
				t.Fatal(err)
			}
		}
		seen[i] = build(t, cluster.client, reference, root, cluster.to, cluster.plainHTTP, external)
	}
	for i, of := range []string{"base", "dependencies", "image"} {
		if seen[0][i] != seen[1][i] || !strings.HasPrefix(seen[0][i], "sha256:") {
			t.Errorf("%s: %q in one, %q in the other", of, seen[0][i], seen[1][i])
		}
	}
}

// build returns the digests of the base, the image with the dependency layer, and the Function's image.
func build(t *testing.T, client *image.Registry, base, root, to string, plainHTTP bool, external *ociregistry.Registry) [3]string {
	t.Helper()
	bases := &image.Bases{}
	copied, err := bases.Ensure(t.Context(), client, base)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"push", "--root=" + root, "--entry=node_modules", "--directory=/function", "--to=" + to}
	if plainHTTP {
		args = append(args, "--plain-http")
	}
	credentials := credentialsOf(t, strings.SplitN(to, "/", 2)[0], external)
	builder := exec.CommandContext(t.Context(), os.Args[0], args...)
	builder.Env = append(os.Environ(), asProgram+"="+filepath.Join(credentials, "status"), "DOCKER_CONFIG="+credentials, "SSL_CERT_FILE="+filepath.Join(credentials, "ca.crt"))
	if output, err := builder.CombinedOutput(); err != nil {
		t.Fatalf("builder: %v\n%s", err, output)
	}
	dependencies, err := client.Find(t.Context(), "shop.dependencies", "1")
	if err != nil {
		t.Fatal(err)
	}
	source, err := image.FilesLayer("/function", map[string][]byte{"handler.js": []byte("1"), "package.json": []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := client.Assemble(t.Context(), "shop__orders", "1", image.Parts{
		Base: copied, Dependencies: "1", DependenciesRepository: "shop.dependencies", Source: source,
	})
	if err != nil {
		t.Fatal(err)
	}
	return [3]string{copied.Digest, dependencies, digest}
}

// startOwn runs the module's own registry, with the credentials of the other one.
func startOwn(t *testing.T) *image.Registry {
	t.Helper()
	credentials := t.TempDir()
	for file, content := range map[string]string{"username": ociregistry.Username, "password": ociregistry.Password} {
		if err := os.WriteFile(filepath.Join(credentials, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := registry.NewHandler(t.Context(), registry.Options{Storage: t.TempDir(), CredentialsDir: credentials})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	client, err := image.NewRegistry(image.Location{
		Push: host, Pull: host, Username: ociregistry.Username, Password: ociregistry.Password, PlainHTTP: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
