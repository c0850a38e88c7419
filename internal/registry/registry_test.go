package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/registry"
)

func TestMain(m *testing.M) {
	registry.LogTo(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

var (
	user     = remote.WithAuth(&authn.Basic{Username: "user", Password: "secret"})
	stranger = remote.WithAuth(&authn.Basic{Username: "user", Password: "guess"})
)

func TestPushedImageCanBePulled(t *testing.T) {
	host, _ := start(t)
	image := newImage(t)
	ref := push(t, host+"/functions/a:v1", image)

	pulled, err := remote.Image(ref, user)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digestOf(t, pulled), digestOf(t, image); got != want {
		t.Errorf("pulled %s, pushed %s", got, want)
	}
}

func TestLayerIsMountedFromAnotherRepository(t *testing.T) {
	host, _ := start(t)
	image := newImage(t)
	base := push(t, host+"/bases/nodejs22:v1", image)

	pulled, err := remote.Image(base, user)
	if err != nil {
		t.Fatal(err)
	}
	uploads := &uploadCounter{RoundTripper: http.DefaultTransport}
	target, err := name.ParseReference(host + "/functions/b:v1")
	if err != nil {
		t.Fatal(err)
	}
	// Another config, so that there is one blob which has to be uploaded.
	labelled, err := mutate.Config(pulled, v1.Config{Labels: map[string]string{"function": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(target, labelled, user, remote.WithTransport(uploads)); err != nil {
		t.Fatal(err)
	}
	if mounted, uploaded := uploads.mounted.Load(), uploads.uploaded.Load(); mounted != 2 || uploaded != 1 {
		t.Errorf("%d layers mounted and %d blobs uploaded, want 2 and 1", mounted, uploaded)
	}
}

func TestDeletedImageIsGone(t *testing.T) {
	host, _ := start(t)
	image := newImage(t)
	ref := push(t, host+"/functions/a:v1", image)
	byDigest := ref.Context().Digest(digestOf(t, image))

	if err := remote.Delete(byDigest, user); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(byDigest, user); statusOf(err) != http.StatusNotFound {
		t.Errorf("get deleted image: %v, want 404", err)
	}
}

func TestWrongPasswordIsRefused(t *testing.T) {
	host, _ := start(t)
	image := newImage(t)
	ref := push(t, host+"/functions/a:v1", image)

	for name, who := range map[string]remote.Option{
		"wrong password": stranger,
		"no credentials": remote.WithAuth(authn.Anonymous),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := remote.Image(ref, who); statusOf(err) != http.StatusUnauthorized {
				t.Errorf("pull: %v, want 401", err)
			}
			if err := remote.Write(ref, newImage(t), who); statusOf(err) != http.StatusUnauthorized {
				t.Errorf("push: %v, want 401", err)
			}
		})
	}
}

func TestChangedCredentialsArePickedUp(t *testing.T) {
	host, credentials := start(t)
	ref := push(t, host+"/functions/a:v1", newImage(t))

	replace(t, filepath.Join(credentials, "password"), "guess\n")
	if _, err := remote.Head(ref, stranger); err != nil {
		t.Errorf("pull with the new password: %v", err)
	}
	if _, err := remote.Head(ref, user); statusOf(err) != http.StatusUnauthorized {
		t.Errorf("pull with the old password: %v, want 401", err)
	}
}

func TestCredentialsStayValidWhileTheirFilesAreAway(t *testing.T) {
	host, credentials := start(t)
	ref := push(t, host+"/functions/a:v1", newImage(t))

	if err := os.RemoveAll(credentials); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(ref, user); err != nil {
		t.Errorf("pull: %v", err)
	}
}

func TestNamespacePullsItsOwnImagesAndNothingElse(t *testing.T) {
	host, credentials := start(t)
	image := newImage(t)
	own, other := push(t, host+"/shop__orders:v1", image), push(t, host+"/shop-eu__orders:v1", image)
	login := func() remote.Option {
		given := access.ForNamespace("shop", "secret")
		return remote.WithAuth(&authn.Basic{Username: given.Username, Password: given.Password})
	}

	if _, err := remote.Image(own, login()); err != nil {
		t.Errorf("pull: %v", err)
	}
	_, pullOther := remote.Image(other, login())
	mounted := remote.Write(other.Context().Tag("mine"), image, login())
	for what, err := range map[string]error{
		"pull another's": pullOther, "push to another's": mounted,
		"push": remote.Write(own, newImage(t), login()), "delete": remote.Delete(own.Context().Digest(digestOf(t, image)), login()),
	} {
		if statusOf(err) != http.StatusUnauthorized {
			t.Errorf("%s: %v, want 401", what, err)
		}
	}

	replace(t, filepath.Join(credentials, "password"), "another")
	if _, err := remote.Head(own, login()); statusOf(err) != http.StatusUnauthorized {
		t.Errorf("pull after the module's password has changed: %v, want 401", err)
	}
}

func TestProbesNeedNoCredentials(t *testing.T) {
	host, _ := start(t)
	for path, want := range map[string]int{
		"/":                         http.StatusOK,
		"/healthz":                  http.StatusOK,
		"/v2/":                      http.StatusUnauthorized,
		"/v2/_catalog":              http.StatusUnauthorized,
		"/v2/functions/a/tags/list": http.StatusUnauthorized,
		"/elsewhere":                http.StatusNotFound,
	} {
		response, err := http.Get("http://" + host + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

func TestStartNamesWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	replace(t, file, "")
	empty := newCredentials(t)
	replace(t, filepath.Join(empty, "password"), "\n")

	for name, test := range map[string]struct {
		options registry.Options
		want    string
	}{
		"storage is a file": {
			registry.Options{Storage: file, CredentialsDir: newCredentials(t)}, "mount a writable volume"},
		"no storage": {
			registry.Options{CredentialsDir: newCredentials(t)}, "name one"},
		"no credentials": {
			registry.Options{Storage: t.TempDir(), CredentialsDir: t.TempDir()}, "mount the Secret"},
		"empty password": {
			registry.Options{Storage: t.TempDir(), CredentialsDir: empty}, "the file is empty"},
		"no HTTP secret": {
			registry.Options{Storage: t.TempDir(), CredentialsDir: newCredentials(t), HTTPSecretFile: file + "x"}, "mount a Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := registry.NewHandler(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, metrics := freeAddress(t), freeAddress(t)
	served := make(chan error, 1)
	go func() {
		served <- registry.Serve(ctx, address, metrics,
			registry.Options{Storage: t.TempDir(), CredentialsDir: newCredentials(t)})
	}()

	awaitOK(t, "http://"+address+"/healthz", served)
	awaitOK(t, "http://"+metrics+"/metrics", served)
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// start runs a registry for the test and returns its host and the directory of
// its credentials.
func start(t *testing.T) (host, credentials string) {
	t.Helper()
	credentials = newCredentials(t)
	handler, err := registry.NewHandler(t.Context(), registry.Options{Storage: t.TempDir(), CredentialsDir: credentials})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), credentials
}

func newCredentials(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "username"), "user")
	replace(t, filepath.Join(dir, "password"), "secret")
	return dir
}

// replace puts a new file in the place of path, as the kubelet does.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func newImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func push(t *testing.T, to string, image v1.Image) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, user); err != nil {
		t.Fatal(err)
	}
	return ref
}

func digestOf(t *testing.T, image v1.Image) string {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func statusOf(err error) int {
	if failure, ok := errors.AsType[*transport.Error](err); ok {
		return failure.StatusCode
	}
	return 0
}

// uploadCounter counts how blobs come to the registry.
type uploadCounter struct {
	http.RoundTripper
	mounted, uploaded atomic.Int32
}

func (u *uploadCounter) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := u.RoundTripper.RoundTrip(request)
	if err == nil && request.Method == http.MethodPost && response.StatusCode == http.StatusCreated {
		u.mounted.Add(1)
	}
	if err == nil && request.Method == http.MethodPut && strings.Contains(request.URL.Path, "/blobs/uploads/") {
		u.uploaded.Add(1)
	}
	return response, err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// awaitOK asks url until it answers or the server has ended.
func awaitOK(t *testing.T, url string, ended <-chan error) {
	t.Helper()
	for {
		select {
		case err := <-ended:
			t.Fatalf("server ended: %v", err)
		case <-t.Context().Done():
			t.Fatalf("%s does not answer", url)
		default:
		}
		response, err := http.Get(url)
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s", url, response.Status)
		}
		return
	}
}
