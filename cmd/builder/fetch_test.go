package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/tests/gitserver"
)

// What is fetched is pushed as the controller finds it.
func TestFetchAndPushPublishASource(t *testing.T) {
	lock := `{"name":"orders","packages":{"":{"name":"orders"},"node_modules/ms":{"version":"2.1.3"}}}`
	url, commit := repository(t, map[string]string{
		"orders/handler.js": "1", "orders/package.json": `{"dependencies": {"ms": "2.1.3"}}`, "orders/package-lock.json": lock,
	})
	server := httptest.NewServer(registry.New())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	credentials := t.TempDir()
	for key, value := range map[string]string{"username": "ann", "password": "s3cret"} {
		if err := os.WriteFile(filepath.Join(credentials, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, committed := filepath.Join(t.TempDir(), "source"), filepath.Join(t.TempDir(), "committed")
	fetch := []string{"fetch", "--url=" + url, "--commit=" + commit, "--base-dir=/orders", "--to=" + root, "--time-file=" + committed, "--auth-type=basic", "--auth-dir=" + credentials,
		"--source-file=handler.js", "--dependencies-file=package.json", "--empty-dependencies={}", "--lock-file=npm-shrinkwrap.json", "--lock-file=package-lock.json"}
	if err := run(t.Context(), fetch); err != nil {
		t.Fatal(err)
	}
	push := []string{"push", "--root=" + root, "--entry=.", "--directory=/function", "--dependencies-file=package.json", "--time-file=" + committed,
		"--to=" + host + "/shop.dependencies:1", "--plain-http", "--lock-file=npm-shrinkwrap.json", "--lock-file=package-lock.json"}
	if err := run(t.Context(), push); err != nil {
		t.Fatal(err)
	}
	client, err := image.NewRegistry(image.Location{Push: host, Pull: host, PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.FindSource(t.Context(), "shop.dependencies", "1")
	if err != nil || found == nil {
		t.Fatal(found, err)
	}
	if found.Dependencies != `{"dependencies": {"ms": "2.1.3"}}` || !strings.HasPrefix(found.Content, "sha256:") {
		t.Errorf("dependencies %q, content %q", found.Dependencies, found.Content)
	}
	if age := time.Since(found.Created); age < 0 || age > time.Hour {
		t.Errorf("the commit of just now is of %s", found.Created)
	}
	if want := source.LockOf("package-lock.json", []byte(lock)).String(); found.Lock != want {
		t.Errorf("lock %q, want %q", found.Lock, want)
	}
	taken := filepath.Join(t.TempDir(), "package-lock.json")
	take := []string{"lock", "--from=" + host + "/shop.dependencies:1", "--file=/function/package-lock.json", "--to=" + taken, "--plain-http"}
	if err := run(t.Context(), take); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != `{"packages":{"":{},"node_modules/ms":{"version":"2.1.3"}}}` {
		t.Errorf("took %s, %v", text, err)
	}
	take[2] = "--file=/function/none"
	if err := run(t.Context(), take); err == nil || !strings.Contains(err.Error(), "it has no such file") {
		t.Errorf("got %v", err)
	}
	if none, err := client.FindSource(t.Context(), "shop.dependencies", "2"); none != nil || err != nil {
		t.Errorf("%v, %v; want nothing", none, err)
	}
}

// The message becomes the condition of the Function.
func TestFetchSaysWhatIsMissing(t *testing.T) {
	url, commit := repository(t, map[string]string{"orders/handler.js": "1", "large/handler.js": "1", "large/package.json": strings.Repeat(" ", 200<<10),
		"locked/handler.js": "1", "locked/package-lock.json/a": "a directory", "heavy/handler.js": "1", "heavy/package-lock.json": strings.Repeat(" ", 11<<20)})
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"credentials":        {[]string{"--base-dir=/"}, "refused the credentials"},
		"the Secret":         {[]string{"--base-dir=/", "--auth-type=basic", "--auth-dir=" + t.TempDir()}, "it has neither the key username nor"},
		"the handler":        {[]string{"--base-dir=/"}, "has no file handler.js in directory /; add it, or correct"},
		"room for packages":  {[]string{"--base-dir=/large"}, "package.json of 204800 bytes is more than"},
		"a file as the lock": {[]string{"--base-dir=/locked", "--lock-file=package-lock.json"}, "package-lock.json is not a regular file; put the file itself into directory /locked"},
		"a lighter lock":     {[]string{"--base-dir=/heavy", "--lock-file=package-lock.json"}, "package-lock.json of 11 MiB is larger than the 10 MiB that a build takes"},
		"a directory to use": {[]string{"--base-dir=/none"}, "has no directory /none"},
	} {
		t.Run(name, func(t *testing.T) {
			address := url
			if name != "credentials" && name != "the Secret" {
				address = strings.Replace(url, "://", "://ann:s3cret@", 1)
			}
			args := append([]string{"fetch", "--url=" + address, "--commit=" + commit, "--to=" + filepath.Join(t.TempDir(), "source"),
				"--source-file=handler.js", "--dependencies-file=package.json", "--empty-dependencies={}"}, test.args...)
			err := run(t.Context(), args)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestFetchWritesThePackageJSONThatIsNotThere(t *testing.T) {
	url, commit := repository(t, map[string]string{"handler.js": "1"})
	root := filepath.Join(t.TempDir(), "source")
	args := []string{"fetch", "--url=" + strings.Replace(url, "://", "://ann:s3cret@", 1), "--commit=" + commit, "--base-dir=/", "--to=" + root,
		"--source-file=handler.js", "--dependencies-file=package.json", "--empty-dependencies={}"}
	if err := run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(root, "package.json")); err != nil || string(text) != "{}" {
		t.Errorf("%q, %v", text, err)
	}
}

// repository serves the files to ann only.
func repository(t *testing.T, files map[string]string) (url, commit string) {
	t.Helper()
	root := t.TempDir()
	made, err := gitserver.Create(root, "a.git")
	if err != nil {
		t.Fatal(err)
	}
	if commit, err = made.Commit("main", gitserver.Files(files)); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(serve(t, root), "ann:s3cret@", "", 1), commit
}

// serve lets ann in to the repository a.git below the root.
func serve(t *testing.T, root string) (url string) {
	t.Helper()
	handler, err := gitserver.HTTP(root, "ann", "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "://", "://ann:s3cret@", 1) + "/a.git"
}
