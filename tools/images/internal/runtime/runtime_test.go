package runtime

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/debian"
	"kyma-project.io/serverless/tools/images/internal/store"
)

const valid = `
name: function-runtime-nodejs
packages: [ca-certificates, libc6, libstdc++6]
versions:
  nodejs22: {node: 22.23.3, npm: 11.19.1}
workdir: /usr/src/app
files: [server.mjs]
install: [npm ci --omit=dev]
entrypoint: [node, server.mjs]
env: {NODE_ENV: production}
user: 1000
`

func TestDescriptionIsRead(t *testing.T) {
	spec, err := parse([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	if got := spec.Image("nodejs22"); got != "function-runtime-nodejs22" {
		t.Errorf("image is called %s", got)
	}
	want := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production"}
	if diff := cmp.Diff(want, spec.environment()); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestErrorNamesTheField(t *testing.T) {
	for name, test := range map[string]struct{ old, replacement, want string }{
		"unknown field":          {"user:", "usr: 1\nuser:", "usr"},
		"wrong type":             {"user: 1000", "user: me", "user"},
		"no name":                {"name: function-runtime-nodejs", "", "name: is missing"},
		"no packages":            {"packages: [ca-certificates, libc6, libstdc++6]", "", "packages: is empty"},
		"range of node":          {"22.23.3", "22.x", `versions.nodejs22.node: "22.x"`},
		"tag of npm":             {"npm: 11.19.1", "npm: latest", `versions.nodejs22.npm: "latest"`},
		"relative workdir":       {"/usr/src/app", "app", `workdir: "app"`},
		"file of somewhere else": {"[server.mjs]", "[../secret]", `files[0]: "../secret"`},
		"no entrypoint":          {"[node, server.mjs]", "[]", "entrypoint: is empty"},
		"root":                   {"user: 1000", "user: 0", "user: is missing, or root"},
		"patch of Python":        {"{node: 22.23.3, npm: 11.19.1}", "{python: 3.13.1}", `versions.nodejs22.python: "3.13.1"`},
		"two languages":          {"npm: 11.19.1", `python: "3.13"`, "versions.nodejs22: is of two languages"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(strings.Replace(valid, test.old, test.replacement, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestABIChangesWithWhatDependenciesDependOn(t *testing.T) {
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	packages := func(libc, libstdcxx string) []debian.Package {
		return []debian.Package{{Name: "libc6", Version: libc}, {Name: "libstdc++6", Version: libstdcxx}, {Name: "zlib1g", Version: libc}}
	}
	base := digestOf(t, amd64, packages("2.41-12", "14.2.0-19"), "22.23.3", "11.19.1")

	for name, test := range map[string]struct {
		got  string
		same bool
	}{
		"security update of libc": {digestOf(t, amd64, packages("2.41-12+deb13u5", "14.2.0-19"), "22.23.3", "11.19.1"), true},
		"security update of node": {digestOf(t, amd64, packages("2.41-12", "14.2.0-19"), "22.24.0", "11.19.1"), true},
		"other libc":              {digestOf(t, amd64, packages("2.42-1", "14.2.0-19"), "22.23.3", "11.19.1"), false},
		"other libstdc++":         {digestOf(t, amd64, packages("2.41-12", "15.1.0-1"), "22.23.3", "11.19.1"), false},
		"other major of node":     {digestOf(t, amd64, packages("2.41-12", "14.2.0-19"), "24.1.0", "11.19.1"), false},
		"other major of npm":      {digestOf(t, amd64, packages("2.41-12", "14.2.0-19"), "22.23.3", "12.0.0"), false},
		"other platform": {digestOf(t, v1.Platform{OS: "linux", Architecture: "arm64"},
			packages("2.41-12", "14.2.0-19"), "22.23.3", "11.19.1"), false},
	} {
		if (test.got == base) != test.same {
			t.Errorf("%s: same ABI is %t, want %t", name, test.got == base, test.same)
		}
	}
	if _, err := abi(amd64, nil, Version{Node: "22.23.3", NPM: "11.19.1"}); err == nil {
		t.Error("there is an ABI without libc6")
	}
}

func TestABIOfPythonChangesWithPythonAndPip(t *testing.T) {
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	digest := func(python, pip string) string {
		packages := []debian.Package{{Name: "libc6", Version: "2.41-12"}, {Name: "libstdc++6", Version: "14.2.0-19"}, {Name: "python3-pip", Version: pip}}
		digest, err := abi(amd64, packages, Version{Python: python})
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	base := digest("3.13", "25.1.1+dfsg-1")
	if digest("3.13", "25.2+dfsg-1") != base {
		t.Error("an update of pip gives another ABI")
	}
	if digest("3.12", "25.1.1+dfsg-1") == base || digest("3.13", "26.0-1") == base {
		t.Error("another version of Python, or major version of pip, has the same ABI")
	}
}

func TestServerLayerHasTheFilesAndWhatInstallMade(t *testing.T) {
	first, second := serverLayer(t, newRuntime(t)), serverLayer(t, newRuntime(t))
	if digest(t, first) != digest(t, second) {
		t.Error("the same source gave two layers")
	}

	files := slices.Sorted(maps.Keys(content(t, first)))
	// No test, nothing of a developer's node_modules, no record of npm's.
	want := []string{
		"usr/src/app/dist/server.mjs", "usr/src/app/lib/a.mjs",
		"usr/src/app/node_modules/express/index.js", "usr/src/app/server.mjs",
	}
	if got := content(t, first)["usr/src/app/server.mjs"]; got != "server.mjs" {
		t.Errorf("server.mjs is as installing left it: %q", got)
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestNativeModuleInTheServerIsRefused(t *testing.T) {
	spec := newRuntime(t)
	spec.Install = append(spec.Install, "echo > node_modules/express/fast.node")
	_, err := newBuilder(t).server(t.Context(), spec, testVersion)
	if err == nil || !strings.Contains(err.Error(), "express/fast.node") {
		t.Errorf("got %v, want an error that names the module", err)
	}
}

func newRuntime(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"server.mjs", "lib/a.mjs", "test/a.test.mjs", "node_modules/eslint/index.js", "dist/old.mjs"} {
		path := filepath.Join(dir, file)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(file), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	return Spec{
		dir:     dir,
		Workdir: "/usr/src/app",
		Files:   []string{"server.mjs", "lib"},
		Install: []string{
			"mkdir -p node_modules/express dist; echo > node_modules/express/index.js; echo $$ > node_modules/.package-lock.json",
			"cp server.mjs dist; echo $$ >> server.mjs",
		},
	}
}

// testVersion has a toolchain in the builder's store, an empty one: the
// commands of the tests need none.
var testVersion = Version{Node: "22.0.0", NPM: "12.0.0"}

func newBuilder(t *testing.T) *Builder {
	t.Helper()
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = images.Entry(t.Context(), "toolchains", store.Key(testVersion.Node, testVersion.NPM), func(dir string) error {
		return os.Mkdir(dir, 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Builder{Images: images}
}

func serverLayer(t *testing.T, spec Spec) v1.Layer {
	t.Helper()
	built, err := newBuilder(t).server(t.Context(), spec, testVersion)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// content is that of a layer's files.
func content(t *testing.T, built v1.Layer) map[string]string {
	t.Helper()
	stream, err := built.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	files := map[string]string{}
	for reader := tar.NewReader(stream); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		bytes, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(bytes)
	}
}

func digestOf(t *testing.T, platform v1.Platform, packages []debian.Package, node, npm string) string {
	t.Helper()
	digest, err := abi(platform, packages, Version{Node: node, NPM: npm})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func digest(t *testing.T, built v1.Layer) v1.Hash {
	t.Helper()
	hash, err := built.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
