package image_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
)

var credentials = &authn.Basic{Username: "user", Password: "secret"}

// testRegistry is the module's own registry, which remembers what it was asked.
type testRegistry struct {
	*httptest.Server
	client *image.Registry
	host   string

	mutex    sync.Mutex
	handler  http.Handler
	before   func(http.ResponseWriter, *http.Request) bool
	answered []answer
}

type answer struct {
	method, path string
	mount        bool
	status       int
}

func isUpload(a answer) bool {
	return a.method == http.MethodPut && strings.Contains(a.path, "/blobs/uploads/") && a.status == http.StatusCreated
}
func isMount(a answer) bool { return a.mount && a.status == http.StatusCreated }
func isManifestPut(a answer) bool {
	return a.method == http.MethodPut && strings.Contains(a.path, "/v2/runtimes/manifests/") && a.status == http.StatusCreated
}

func start(t *testing.T) *testRegistry {
	t.Helper()
	server := &testRegistry{}
	server.lose(t)
	server.Server = httptest.NewServer(server)
	t.Cleanup(server.Close)
	server.host = strings.TrimPrefix(server.URL, "http://")
	client, err := image.NewRegistry(image.Location{
		Push: server.host, Pull: "localhost:32137", Username: "user", Password: "secret", PlainHTTP: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.client = client
	return server
}

func (s *testRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	handler, before := s.handler, s.before
	s.mutex.Unlock()
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	if before == nil || !before(recorder, r) {
		handler.ServeHTTP(recorder, r)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answered = append(s.answered, answer{r.Method, r.URL.Path, r.URL.Query().Get("mount") != "", recorder.status})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	if status < http.StatusOK {
		return
	}
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// intercept has requests answered before the registry does; true says that it was.
func (s *testRegistry) intercept(before func(http.ResponseWriter, *http.Request) bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.before = before
}

// lose replaces the registry's storage by an empty one.
func (s *testRegistry) lose(t *testing.T) {
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
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.handler = handler
}

func (s *testRegistry) count(wanted func(answer) bool) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	number := 0
	for _, answer := range s.answered {
		if wanted(answer) {
			number++
		}
	}
	return number
}

func (s *testRegistry) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answered = nil
}

// login lets the process push and pull.
func (s *testRegistry) login(t *testing.T) {
	t.Helper()
	directory := t.TempDir()
	text := `{"auths": {"` + s.host + `": {"username": "user", "password": "secret"}}}`
	if err := os.WriteFile(filepath.Join(directory, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", directory)
}

// release publishes a base image and returns its reference.
func (s *testRegistry) release(t *testing.T) string {
	t.Helper()
	return s.releaseLabelled(t, map[string]string{image.ABILabel: "node-22"})
}

func (s *testRegistry) releaseLabelled(t *testing.T, labels map[string]string) string {
	t.Helper()
	s.login(t)
	content, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	platform := image.Platform()
	config, err := content.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Labels = platform.OS, platform.Architecture, labels
	if content, err = mutate.ConfigFile(content, config); err != nil {
		t.Fatal(err)
	}
	reference := s.host + "/releases/nodejs22:1"
	s.write(t, reference, content)
	return reference
}

func (s *testRegistry) base(t *testing.T) image.Base {
	t.Helper()
	base, err := new(image.Bases).Ensure(t.Context(), s.client, s.release(t))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func (s *testRegistry) pushDependencies(t *testing.T, tag string) {
	t.Helper()
	reader, writer := io.Pipe()
	root := tree(t)
	go func() { writer.CloseWithError(image.WriteTree(writer, root, []string{"node_modules"}, functionDir)) }()
	target := image.Target{
		Reference: s.client.PushReference("shop.dependencies", tag), PlainHTTP: true, Labels: map[string]string{image.PackagesLabel: `{"packages":[]}`},
	}
	digest, err := target.PushLayer(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.client.Find(t.Context(), "shop.dependencies", tag); found != digest || err != nil {
		t.Fatalf("pushed %s, found %q, %v", digest, found, err)
	}
}

func (s *testRegistry) assemble(t *testing.T, repository, tag string, base image.Base, source, dependencies string) string {
	t.Helper()
	layer, err := image.FilesLayer(functionDir, map[string][]byte{"handler.js": []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.client.Assemble(t.Context(), repository, tag, image.Parts{
		Base: base, Source: layer, Dependencies: dependencies, DependenciesRepository: "shop.dependencies",
	})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func (s *testRegistry) write(t *testing.T, reference string, content v1.Image) {
	t.Helper()
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, content, remote.WithAuth(credentials)); err != nil {
		t.Fatal(err)
	}
}

func (s *testRegistry) pull(t *testing.T, repository, digest string) v1.Image {
	t.Helper()
	parsed, err := name.ParseReference(s.host + "/" + repository + "@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(parsed, remote.WithAuth(credentials))
	if err != nil {
		t.Fatal(err)
	}
	return pulled
}
