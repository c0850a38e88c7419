package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/internal/registry"
)

const root = "../../"

func TestModuleIsTheSameEachTime(t *testing.T) {
	t.Chdir(root)
	first, second := created(t, "--output", t.TempDir()), created(t, "--output", t.TempDir())
	_, firstDigest, _ := strings.Cut(first, "@")
	_, secondDigest, _ := strings.Cut(second, "@")
	if firstDigest == "" || firstDigest != secondDigest {
		t.Errorf("%s and %s", first, second)
	}
	other := created(t, "--output", t.TempDir(), "--version", "1.2.4")
	if strings.HasSuffix(other, firstDigest) {
		t.Error("another version has the same digest")
	}
}

func TestAssetsAreNamedAsTheConfigurationSays(t *testing.T) {
	t.Chdir(root)
	output := t.TempDir()
	created(t, "--output", output)
	for _, file := range []string{"serverless-operator.yaml", "default-serverless-cr.yaml", "moduletemplate.yaml", "modulereleasemeta.yaml", "oci/index.json"} {
		if _, err := os.Stat(filepath.Join(output, file)); err != nil {
			t.Error(err)
		}
	}
	if text, err := run(t, "verify", "--layout", filepath.Join(output, "oci"), "--version", "1.2.3"); err != nil || !strings.Contains(text, "keeps to all rules") {
		t.Errorf("%s, %v", text, err)
	}
	releases, err := os.ReadFile(filepath.Join(output, "modulereleasemeta.yaml"))
	if err != nil || !bytes.Contains(releases, []byte("channel: regular\n    version: 1.2.3")) {
		t.Errorf("%s, %v", releases, err)
	}
}

func TestCommunityInstallsByTheLinkToTheManifest(t *testing.T) {
	t.Chdir(root)
	output := t.TempDir()
	created(t, "--output", output, "--assets-url", "https://example.com/download/1.2.3/")
	template, err := os.ReadFile(filepath.Join(output, "moduletemplate.yaml"))
	if err != nil || !bytes.Contains(template, []byte("link: https://example.com/download/1.2.3/serverless-operator.yaml\n    name: rawManifest")) {
		t.Errorf("%s, %v", template, err)
	}
	if _, err := run(t, "create", "--images", "registry.test/prod", "--output", output, "--assets-url", "http://example.com"); err == nil || !strings.Contains(err.Error(), "must be an https URL") {
		t.Errorf("got %v", err)
	}
}

func TestModuleIsPushedWithTheCredentialsOfDocker(t *testing.T) {
	t.Chdir(root)
	host := registryWithLogin(t)
	if text, err := run(t, "create", "--images", "registry.test/prod", "--version", "1.2.3", "--output", t.TempDir(), "--registry", host+"/modules"); err == nil {
		t.Errorf("pushed without credentials: %s", text)
	}
	login(t, host)
	created(t, "--output", t.TempDir(), "--registry", host+"/modules")
	if text, err := run(t, "verify", "--registry", host+"/modules", "--version", "1.2.3"); err != nil {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := run(t, "verify", "--registry", host+"/modules", "--version", "1.2.4"); err == nil || !strings.Contains(err.Error(), "was it pushed there?") {
		t.Errorf("got %v for what was not pushed", err)
	}
}

func TestImageWithoutDigestIsNamed(t *testing.T) {
	t.Chdir(root)
	digests := filepath.Join(t.TempDir(), "images.txt")
	if err := os.WriteFile(digests, []byte("function-builder a/function-builder:1@sha256:"+strings.Repeat("a", 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := run(t, "create", "--images", "registry.test/prod", "--output", t.TempDir(), "--digests", digests)
	if err == nil || !strings.Contains(err.Error(), "has none for function-controller") {
		t.Errorf("got %v", err)
	}
}

func TestScannersLookAtTheImagesOfTheManifest(t *testing.T) {
	want, err := scanConfig("serverless", manifest.Options{
		Config: root + "config/default", Registry: "europe-docker.pkg.dev/kyma-project/prod", Tag: "0.0.0-dev",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(root + "sec-scanners-config.yaml")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("sec-scanners-config.yaml is not what the manifest gives (%v); run make module-scan-config and commit", err)
	}
}

// created makes version 1.2.3, unless args say another, and returns what is printed.
func created(t *testing.T, args ...string) string {
	t.Helper()
	text, err := run(t, append([]string{"create", "--images", "registry.test/prod", "--version", "1.2.3"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var output bytes.Buffer
	root := command()
	root.SetOut(&output)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return output.String(), err
}

func registryWithLogin(t *testing.T) string {
	t.Helper()
	credentials := t.TempDir()
	for file, content := range map[string]string{"username": "user", "password": "secret"} {
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
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	return strings.TrimPrefix(server.URL, "http://")
}

func login(t *testing.T, host string) {
	t.Helper()
	text := `{"auths": {"` + host + `": {"username": "user", "password": "secret"}}}`
	if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReleaseSaysWhyItCanNotBe(t *testing.T) {
	t.Chdir(root)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"1.2.3+build"}, "without +"},
		{[]string{"v1.2.3"}, "must be a semantic version"},
		{[]string{"99.0.0"}, `no section is headed "## 99.0.0"`},
		{[]string{"99.0.0", "--dry-run", "--changelog", "README.md"}, `no section is headed "## Unreleased"`},
		{[]string{"99.0.0", "--dry-run", "--output", t.TempDir(), "--images-program", "false"}, "publish images"},
	} {
		_, err := run(t, append([]string{"release"}, test.args...)...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want an error with %q", test.args, err, test.want)
		}
	}
}
