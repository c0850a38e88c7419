package main

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	openregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/tests/ociregistry"
)

// A Function's image in a registry of the user's, from the base to the source.
func TestExternalRegistryWithAPrivateAuthorityTakesWholeImages(t *testing.T) {
	for _, auth := range []ociregistry.Auth{ociregistry.Basic, ociregistry.Token} {
		for _, prefix := range []string{"", "/team/project"} {
			t.Run(string(auth)+prefix, func(t *testing.T) {
				external := startExternal(t, auth)
				client := connect(t, external, prefix)
				bases := &image.Bases{}
				base, err := bases.Ensure(t.Context(), client, release(t))
				if err != nil {
					t.Fatal(err)
				}
				if output, err := runBuilder(t, external, client.PushReference("shop.dependencies", "1"), true); err != nil {
					t.Fatalf("builder: %v\n%s", err, output)
				}
				source, err := image.FilesLayer("/function", map[string][]byte{"handler.js": []byte("1")})
				if err != nil {
					t.Fatal(err)
				}
				digest, err := client.Assemble(t.Context(), "shop__orders", "1", image.Parts{
					Base: base, Dependencies: "1", DependenciesRepository: "shop.dependencies", Source: source,
				})
				if err != nil {
					t.Fatal(err)
				}
				if found, err := client.Find(t.Context(), "shop__orders", "1"); err != nil || found != digest {
					t.Errorf("found %q, %v; want %q", found, err, digest)
				}
				if want := external.Host + prefix + "/shop__orders@" + digest; client.PullReference("shop__orders", digest) != want {
					t.Errorf("nodes pull %s, want %s", client.PullReference("shop__orders", digest), want)
				}
			})
		}
	}
}

func TestExternalRegistrySaysWhatIsMissing(t *testing.T) {
	for _, auth := range []ociregistry.Auth{ociregistry.Basic, ociregistry.Token} {
		t.Run(string(auth), func(t *testing.T) {
			external := startExternal(t, auth)
			for name, test := range map[string]struct {
				change func(*corev1.Secret)
				want   string
			}{
				"the authority": {func(secret *corev1.Secret) { delete(secret.Data, "ca.crt") }, "add it as ca.crt to the registry's Secret"},
				"the password":  {func(secret *corev1.Secret) { secret.Data["password"] = []byte("guess") }, "401"},
			} {
				secret := externalSecret(external, "")
				test.change(secret)
				location, err := image.LocationFromSecret(secret)
				if err != nil {
					t.Fatal(err)
				}
				client, err := image.NewRegistry(location)
				if err != nil {
					t.Fatal(err)
				}
				_, err = client.Find(t.Context(), "shop__orders", "1")
				if err == nil || !strings.Contains(err.Error(), "registry "+external.Host+" is not available: ") || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v, want %q", name, err, test.want)
				}
				if strings.Contains(err.Error(), "guess") {
					t.Errorf("%s: the password is in %v", name, err)
				}
			}
			output, err := runBuilder(t, external, external.Host+"/shop.dependencies:1", false)
			if err == nil || !strings.Contains(output, "add it as ca.crt to the registry's Secret") {
				t.Errorf("builder without the authority: %v, %s", err, output)
			}
		})
	}
}

func startExternal(t *testing.T, auth ociregistry.Auth) *ociregistry.Registry {
	t.Helper()
	registry.LogTo(slog.New(slog.DiscardHandler))
	external, err := ociregistry.Start(t.TempDir(), "127.0.0.1", auth)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = external.Close() })
	return external
}

// externalSecret is the user's, as contract/functions.md 1.2 has it.
func externalSecret(external *ociregistry.Registry, prefix string) *corev1.Secret {
	return &corev1.Secret{Data: map[string][]byte{
		"isInternal": []byte("false"), "username": []byte(ociregistry.Username), "password": []byte(ociregistry.Password),
		"serverAddress": []byte("https://" + external.Host), "registryAddress": []byte(external.Host + prefix), "ca.crt": []byte(external.Authority),
	}}
}

func connect(t *testing.T, external *ociregistry.Registry, prefix string) *image.Registry {
	t.Helper()
	location, err := image.LocationFromSecret(externalSecret(external, prefix))
	if err != nil {
		t.Fatal(err)
	}
	client, err := image.NewRegistry(location)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// release publishes a base image where releases are, and returns its reference.
func release(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(openregistry.New(openregistry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	t.Cleanup(server.Close)
	base, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = image.Platform().OS, image.Platform().Architecture
	if base, err = mutate.ConfigFile(base, config); err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/runtime:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, base); err != nil {
		t.Fatal(err)
	}
	return reference.String()
}

// runBuilder runs the builder as in a Job's Pod, and returns what it says.
func runBuilder(t *testing.T, external *ociregistry.Registry, to string, trusting bool) (string, error) {
	t.Helper()
	root, credentials := t.TempDir(), credentialsOf(t, external.Host, external)
	if err := os.WriteFile(filepath.Join(root, "installed"), []byte("a package"), 0o600); err != nil {
		t.Fatal(err)
	}
	builder := exec.CommandContext(t.Context(), os.Args[0], "push", "--root="+root, "--entry=installed", "--directory=/function", "--to="+to)
	builder.Env = append(os.Environ(), asProgram+"="+filepath.Join(credentials, "status"), "DOCKER_CONFIG="+credentials)
	if trusting {
		builder.Env = append(builder.Env, "SSL_CERT_FILE="+filepath.Join(credentials, "ca.crt"))
	}
	output, err := builder.CombinedOutput()
	return string(output), err
}

// credentialsOf writes what the kubelet mounts of a registry's Secret.
func credentialsOf(t *testing.T, host string, external *ociregistry.Registry) string {
	t.Helper()
	directory := t.TempDir()
	login := base64.StdEncoding.EncodeToString([]byte(ociregistry.Username + ":" + ociregistry.Password))
	for file, content := range map[string]string{
		"config.json": fmt.Sprintf(`{"auths": {"https://%s": {"auth": %q}}}`, host, login), "ca.crt": external.Authority,
	} {
		if err := os.WriteFile(filepath.Join(directory, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}
