package build_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/source"
	"kyma-project.io/serverless/tests/npmregistry"
)

// privateRegistry is a real npm registry with users, and TLS by an authority
// that nobody knows.
type privateRegistry struct {
	*npmregistry.Registry
	host      string
	authority []byte
	// integrity of greeting 1.0.0; its newest version is another one.
	integrity string
}

func newPrivateRegistry(t *testing.T) *privateRegistry {
	t.Helper()
	registry, err := npmregistry.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	r := &privateRegistry{Registry: registry, host: listener.Addr().String()}
	if r.authority, err = registry.ServeTLS(listener); err != nil {
		t.Fatal(err)
	}
	r.integrity = r.publish(t, `{"name": "@shop/greeting", "version": "1.0.0"}`, map[string]string{"index.js": "hello"})
	r.publish(t, `{"name": "@shop/greeting", "version": "1.1.0"}`, nil)
	return r
}

func (r *privateRegistry) publish(t *testing.T, manifest string, files map[string]string) (integrity string) {
	t.Helper()
	integrity, err := r.Publish(t.Context(), manifest, files)
	if err != nil {
		t.Fatal(err)
	}
	return integrity
}

func (r *privateRegistry) config(token string) map[string][]byte {
	return map[string][]byte{
		".npmrc": fmt.Appendf(nil, "@shop:registry=https://%s/\nregistry=https://%s/\n//%s/:_authToken=%s\nfetch-retries=0\n", r.host, r.host, r.host, token),
		"ca.crt": r.authority,
	}
}

// lock is a lock file that has greeting in its former version.
func (r *privateRegistry) lock(integrity string) string {
	return fmt.Sprintf(`{"name": "orders", "version": "3.0.0", "lockfileVersion": 3, "requires": true, "packages": {
		"": {"name": "orders", "version": "3.0.0", "dependencies": {"@shop/greeting": "^1.0.0"}},
		"node_modules/@shop/greeting": {"version": "1.0.0", "resolved": "https://%s/@shop/greeting/-/greeting-1.0.0.tgz", "integrity": %q}}}`, r.host, integrity)
}

// installed is what became of an install.
type installed struct {
	directory, log string
	// reason is what the Function's condition says of a failure.
	reason string
}

// version of a package that was installed.
func (i installed) version(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.directory, "node_modules", name, "package.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, i.log)
	}
	var pkg struct{ Version string }
	if err := json.Unmarshal(text, &pkg); err != nil {
		t.Fatal(err)
	}
	return pkg.Version
}

// install plays the kubelet: it runs the container that installs, with the
// lock file in its place if there is one.
func install(t *testing.T, manifest, lock string, packages map[string][]byte, path string) installed {
	t.Helper()
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, name := range []string{"workspace", "registry-config", "tmp"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range packages {
		if err := os.WriteFile(filepath.Join(at("registry-config"), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := jobInput(t)
	in.Plan.Manifest, in.PackageRegistry = source.Manifest(manifest), packages
	if lock != "" {
		in.Plan.Lock = source.LockOf("package-lock.json", []byte(lock))
		if err := os.WriteFile(filepath.Join(at("workspace"), "package-lock.json"), source.CanonicalLock([]byte(lock)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	containers := build.Job(in).Spec.Template.Spec.InitContainers
	container := containers[len(containers)-1]
	here := strings.NewReplacer("/workspace", at("workspace"), "/registry-config", at("registry-config"),
		"/dev/termination-log", at("termination-log"), "/tmp", at("tmp"), "$$", "$")
	command := exec.CommandContext(t.Context(), "/bin/sh", append(container.Command[1:2:2], here.Replace(container.Command[2]))...)
	command.Dir = at("workspace")
	// What this machine's npm is set to is of no matter to a Pod's.
	command.Env = []string{"PATH=" + path, "NPM_CONFIG_DANGEROUSLY_ALLOW_ALL_SCRIPTS=true", "npm_config_globalconfig=" + at("none")}
	for _, variable := range container.Env {
		command.Env = append(command.Env, variable.Name+"="+here.Replace(variable.Value))
	}
	output, err := command.CombinedOutput()
	result := installed{directory: at("workspace"), log: string(output)}
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if exited != nil {
		words, err := os.ReadFile(at("termination-log"))
		if err != nil {
			t.Fatal(err)
		}
		pod := corev1.Pod{Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "install", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: int32(exited.ExitCode()), Message: string(words)},
		}}}}}
		result.reason = build.FailureReason(&batchv1.Job{}, []corev1.Pod{pod}, build.Packages{Secret: "packages", Config: packages})
	}
	return result
}

func TestInstallFromAPrivateRegistry(t *testing.T) {
	registry := newPrivateRegistry(t)
	path := os.Getenv("PATH")
	const wants = `{"dependencies":{"@shop/greeting":"^1.0.0"}}`

	t.Run("installs the newest version without a lock file, and that of the lock file with one", func(t *testing.T) {
		for lock, want := range map[string]string{"": "1.1.0", registry.lock(registry.integrity): "1.0.0"} {
			got := install(t, wants, lock, registry.config(registry.Token), path)
			if version := got.version(t, "@shop/greeting"); version != want {
				t.Errorf("installed %s, want %s", version, want)
			}
			var layer bytes.Buffer
			if err := image.WriteTree(&layer, got.directory, []string{"node_modules"}, "/function"); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(layer.Bytes(), []byte(registry.Token)) || strings.Contains(got.log, registry.Token) {
				t.Error("the token is in the layer, or in the log")
			}
		}
	})

	t.Run("gives equal layers for lock files that differ in the version of the Function itself", func(t *testing.T) {
		var layers [2]bytes.Buffer
		for i, version := range []string{"3.0.0", "3.0.1"} {
			got := install(t, wants, strings.ReplaceAll(registry.lock(registry.integrity), "3.0.0", version), registry.config(registry.Token), path)
			if err := image.WriteTree(&layers[i], got.directory, []string{"node_modules"}, "/function"); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(layers[0].Bytes(), layers[1].Bytes()) {
			t.Error("they differ")
		}
	})

	registry.publish(t, `{"name": "native", "version": "1.0.0", "scripts": {"install": "node-gyp rebuild"}, "gypfile": true}`,
		map[string]string{"binding.gyp": `{"targets": [{"target_name": "a", "sources": ["a.cc"]}]}`})
	registry.publish(t, `{"name": "chatty", "version": "1.0.0", "scripts": {"postinstall": "cat $npm_config_userconfig; exit 3"}}`, nil)
	unknown := registry.config(registry.Token)
	delete(unknown, "ca.crt")
	for name, test := range map[string]struct {
		manifest, lock string
		packages       map[string][]byte
		path           string
		want           []string
	}{
		"a lock file that disagrees": {`{"dependencies":{"@shop/greeting":"^1.0.0","native":"1"}}`, registry.lock(registry.integrity), nil, path,
			[]string{"code EUSAGE; ", " are in sync. Please update your lock file", "Missing: native@1.0.0 from lock file"}},
		"another content than the lock file has": {wants, registry.lock("sha512-AAAA" + registry.integrity[11:]), nil, path,
			[]string{"code EINTEGRITY; ", "integrity checksum failed"}},
		"a token that's wrong":              {wants, "", registry.config("wr0ng-token"), path, []string{"code E401; ", "correct .npmrc in the Secret packages"}},
		"an authority that's unknown":       {wants, "", unknown, path, []string{"put the certificate of the registry's CA under ca.crt into the Secret packages"}},
		"no such version":                   {`{"dependencies":{"native":"9"}}`, "", nil, path, []string{"code ETARGET; No matching version found for native@9."}},
		"no such package":                   {`{"dependencies":{"none":"1"}}`, "", nil, path, []string{"code E404; Not Found - GET https://" + registry.host + "/none"}},
		"a script that shows what it reads": {`{"dependencies":{"chatty":"1"}}`, "", nil, path, []string{"a script of the package chatty failed; code 3", "_authToken=***"}},
		"native code, and no compiler": {`{"dependencies":{"native":"1"}}`, "", nil, noCompiler(t),
			[]string{"native has native code, and the runtime's image has no compiler: use a version with prebuilt binaries"}},
	} {
		t.Run("says why: "+name, func(t *testing.T) {
			packages := test.packages
			if packages == nil {
				packages = registry.config(registry.Token)
			}
			got := install(t, test.manifest, test.lock, packages, test.path)
			for _, want := range test.want {
				if !strings.Contains(got.reason, want) {
					t.Errorf("got %q, want %q in it\n%s", got.reason, want, got.log)
				}
			}
			for _, secret := range []string{registry.Token, "wr0ng-token"} {
				if strings.Contains(got.reason, secret) {
					t.Errorf("%q shows the token", got.reason)
				}
			}
		})
	}
}

// noCompiler is a PATH with what the runtime's image has, as far as it matters.
func noCompiler(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	for _, name := range []string{"sh", "env", "node", "npm", "mkdir"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if program, err = filepath.EvalSymlinks(program); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, filepath.Join(directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}
