package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	openregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
)

const functionDir = "/usr/src/app/function"

func TestMain(m *testing.M) {
	registry.LogTo(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func TestImageOfAFunctionMovesItsSourceOnly(t *testing.T) {
	server := start(t)
	base := server.base(t)
	server.forget()

	digest := server.assemble(t, "shop__orders", "tag1", base, "main = 1", "")
	// The base's two layers are there: only the source and the configuration move.
	if uploads, mounts := server.count(isUpload), server.count(isMount); uploads != 2 || mounts != 2 {
		t.Errorf("%d blobs uploaded and %d mounted, want 2 and 2", uploads, mounts)
	}
	built := server.pull(t, "shop__orders", digest)
	if err := validate.Image(built); err != nil {
		t.Error(err)
	}
	layers, err := built.Layers()
	if err != nil || len(layers) != 3 {
		t.Fatalf("%d layers, %v; want the base's two and one more", len(layers), err)
	}
	if got := fileIn(t, built, "usr/src/app/function/handler.js"); got != "main = 1" {
		t.Errorf("handler.js is %q", got)
	}
	config, err := built.ConfigFile()
	if err != nil || config.Config.Labels[image.ABILabel] != "node-22" {
		t.Errorf("the base's configuration is lost: %+v, %v", config, err)
	}
}

func TestEqualSourceHasAnEqualDigest(t *testing.T) {
	server := start(t)
	base := server.base(t)
	first := server.assemble(t, "shop__orders", "tag1", base, "main = 1", "")
	changed := server.assemble(t, "shop__orders", "tag2", base, "main = 2", "")
	again := server.assemble(t, "shop__orders", "tag3", base, "main = 1", "")
	elsewhere := server.assemble(t, "shop__copy", "tag1", base, "main = 1", "")
	if first == changed || first != again || first != elsewhere {
		t.Errorf("digests %s, changed %s, again %s, of another Function %s", first, changed, again, elsewhere)
	}
}

func TestImageIsFoundByItsTag(t *testing.T) {
	server := start(t)
	base := server.base(t)
	if got, err := server.client.Find(t.Context(), "shop__orders", "tag1"); got != "" || err != nil {
		t.Errorf("before: %q, %v", got, err)
	}
	digest := server.assemble(t, "shop__orders", "tag1", base, "main = 1", "")
	if got, err := server.client.Find(t.Context(), "shop__orders", "tag1"); got != digest || err != nil {
		t.Errorf("after: %q, %v; want %s", got, err, digest)
	}
	if got := server.client.PullReference("shop__orders", digest); got != "localhost:32137/shop__orders@"+digest {
		t.Errorf("nodes are told %s", got)
	}
}

func TestImageHasTheInstalledDependencies(t *testing.T) {
	server := start(t)
	base := server.base(t)
	server.pushDependencies(t, "deps1")
	server.forget()

	digest := server.assemble(t, "shop__orders", "tag1", base, "main = 1", "deps1")
	if uploads, mounts := server.count(isUpload), server.count(isMount); uploads != 2 || mounts != 3 {
		t.Errorf("%d blobs uploaded and %d mounted, want 2 and 3", uploads, mounts)
	}
	built := server.pull(t, "shop__orders", digest)
	if err := validate.Image(built); err != nil {
		t.Error(err)
	}
	if got := fileIn(t, built, "usr/src/app/function/node_modules/ms/index.js"); got != "exports" {
		t.Errorf("the dependency is %q", got)
	}
}

func TestBaseIsCopiedOnceHoweverManyWait(t *testing.T) {
	server := start(t)
	reference := server.release(t)
	var bases image.Bases
	var all sync.WaitGroup
	results := make([]image.Base, 20)
	for i := range results {
		all.Go(func() {
			base, err := bases.Ensure(t.Context(), server.client, reference)
			if err != nil {
				t.Error(err)
			}
			results[i] = base
		})
	}
	all.Wait()
	if puts := server.count(isManifestPut); puts != 1 {
		t.Errorf("copied %d times", puts)
	}
	for _, base := range results {
		if base != results[0] || base.ABI != "node-22" || base.Digest == "" {
			t.Errorf("got %+v and %+v", results[0], base)
		}
	}
}

func TestBaseWithoutALabelIsItsOwnABI(t *testing.T) {
	server := start(t)
	base, err := new(image.Bases).Ensure(t.Context(), server.client, server.releaseLabelled(t, nil))
	if err != nil || base.ABI != base.Digest || base.Digest == "" {
		t.Errorf("got %+v, %v", base, err)
	}
}

func TestCopyOfTheBaseServesWhileReleasesAreDown(t *testing.T) {
	server, releases := start(t), start(t)
	reference := releases.release(t)
	first, err := new(image.Bases).Ensure(t.Context(), server.client, reference)
	if err != nil {
		t.Fatal(err)
	}
	releases.Close()

	// Another process, which has no memory of the first look.
	again, err := new(image.Bases).Ensure(t.Context(), server.client, reference)
	if err != nil || again != first {
		t.Errorf("got %+v, %v; want %+v", again, err, first)
	}
	_, err = new(image.Bases).Ensure(t.Context(), start(t).client, reference)
	unavailable, isUnavailable := errors.AsType[*image.UnavailableError](err)
	if !isUnavailable || unavailable.Registry != releases.host {
		t.Errorf("without a copy: %v, want that %s is unavailable", err, releases.host)
	}
}

// As when the registry's volume is replaced.
func TestRegistryThatLostItsContentIsFilledAgain(t *testing.T) {
	server, releases := start(t), start(t)
	var bases image.Bases
	reference := releases.release(t)
	base, err := bases.Ensure(t.Context(), server.client, reference)
	if err != nil {
		t.Fatal(err)
	}
	first := server.assemble(t, "shop__orders", "tag1", base, "main = 1", "")

	server.lose(t)
	source, err := image.FilesLayer(functionDir, map[string][]byte{"handler.js": []byte("main = 1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.client.Assemble(t.Context(), "shop__orders", "tag1", image.Parts{Base: base, Source: source}); err == nil {
		t.Fatal("assembled on a base that is lost")
	}
	bases.Forget(server.client, reference)
	if base, err = bases.Ensure(t.Context(), server.client, reference); err != nil {
		t.Fatal(err)
	}
	if again := server.assemble(t, "shop__orders", "tag1", base, "main = 1", ""); again != first {
		t.Errorf("assembled %s, before %s", again, first)
	}
	if err := validate.Image(server.pull(t, "shop__orders", first)); err != nil {
		t.Error(err)
	}
}

func TestRegistryThatDoesNotAnswerIsNamed(t *testing.T) {
	server := start(t)
	base := server.base(t)
	wrong, err := image.NewRegistry(image.Location{Push: server.host, Pull: server.host, Username: "user", Password: "guess", PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	down := start(t)
	down.Close()
	source, err := image.FilesLayer(functionDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		client *image.Registry
		host   string
		reason string
	}{
		"down":           {down.client, down.host, "connection refused"},
		"wrong password": {wrong, server.host, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findErr := test.client.Find(t.Context(), "shop__orders", "tag1")
			_, assembleErr := test.client.Assemble(t.Context(), "shop__orders", "tag1", image.Parts{Base: base, Source: source})
			for _, err := range []error{findErr, assembleErr} {
				unavailable, isUnavailable := errors.AsType[*image.UnavailableError](err)
				if !isUnavailable || unavailable.Registry != test.host || !strings.Contains(strings.ToLower(err.Error()), test.reason) {
					t.Errorf("got %v, want that %s is unavailable: %s", err, test.host, test.reason)
				}
				if err != nil && strings.Contains(err.Error(), "guess") {
					t.Errorf("the password is in %q", err)
				}
			}
		})
	}
}

func TestLayerIsPushedWithTheCredentialsOfTheProcess(t *testing.T) {
	server := start(t)
	config := filepath.Join(t.TempDir(), "config.json")
	t.Setenv("DOCKER_CONFIG", filepath.Dir(config))
	for password, accepted := range map[string]bool{"secret": true, "guess": false} {
		text := `{"auths": {"` + server.host + `": {"username": "user", "password": "` + password + `"}}}`
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := pushTree(t, image.Target{Reference: server.host + "/shop.dependencies:" + password, PlainHTTP: true})
		if (err == nil) != accepted {
			t.Errorf("password %s: %v", password, err)
		}
	}
}

// The kubelet replaces the token while a push is under way.
func TestLayerIsPushedWithTheTokenThatTheFileHasAtTheTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	served := openregistry.New(openregistry.Logger(log.New(io.Discard, "", 0)))
	var mutex sync.Mutex
	var tokens []string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, token, ok := r.BasicAuth()
		if !ok || user != "build-token" {
			w.Header().Set("WWW-Authenticate", "Basic realm=any")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mutex.Lock()
		tokens = append(tokens, token)
		// As the kubelet does: no request sees half a token.
		err := errors.Join(os.WriteFile(file+"-next", []byte("next"), 0o600), os.Rename(file+"-next", file))
		mutex.Unlock()
		if err != nil {
			t.Error(err)
		}
		served.ServeHTTP(w, r)
	}))
	t.Cleanup(host.Close)
	target := image.Target{Reference: strings.TrimPrefix(host.URL, "http://") + "/shop.dependencies:any", PlainHTTP: true, TokenFile: file}
	if err := pushTree(t, target); err != nil {
		t.Fatal(err)
	}
	if tokens[0] != "first" || tokens[len(tokens)-1] != "next" {
		t.Errorf("pushed with %v", tokens)
	}
}

// pushTree returns once nothing reads the tree any more.
func pushTree(t *testing.T, target image.Target) error {
	t.Helper()
	root := tree(t)
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		writer.CloseWithError(image.WriteTree(writer, root, []string{"node_modules"}, functionDir))
	}()
	_, err := target.PushLayer(t.Context(), reader)
	reader.Close()
	<-written
	return err
}

// An installer's directory that can't be read must not become a layer that is cut off.
func TestTreeThatCannotBeReadIsNotPushed(t *testing.T) {
	server := start(t)
	server.login(t)
	reader, writer := io.Pipe()
	go func() {
		writer.CloseWithError(image.WriteTree(writer, t.TempDir(), []string{"node_modules"}, functionDir))
	}()
	if _, err := (image.Target{Reference: server.host + "/shop.dependencies:cut", PlainHTTP: true}).PushLayer(t.Context(), reader); err == nil {
		t.Error("pushed")
	}
	if digest, err := server.client.Find(t.Context(), "shop.dependencies", "cut"); digest != "" || err != nil {
		t.Errorf("found %s, %v", digest, err)
	}
}

// fileIn is the content of a file in the image, or "".
func fileIn(t *testing.T, img v1.Image, path string) string {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	reader := tar.NewReader(content)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == path {
			text, err := io.ReadAll(reader)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
}

func TestTheSameFailureReadsTheSameAtEachTry(t *testing.T) {
	first := &image.UnavailableError{Registry: "r", Err: errors.New("read tcp 10.90.0.7:45478->10.91.3.4:5000: connection reset by peer")}
	second := &image.UnavailableError{Registry: "r", Err: errors.New("read tcp 10.90.0.7:45482->10.91.3.4:5000: connection reset by peer")}
	if first.Error() != second.Error() {
		t.Errorf("%q differs from %q", first, second)
	}
	if !strings.Contains(first.Error(), "10.91.3.4:5000: connection reset by peer") {
		t.Errorf("%q doesn't tell what failed", first)
	}
}
