package registry_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"

	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/internal/volume"
)

// What happens to uploads on a volume of 8 MiB, of which 1 MiB is in use.
func TestUploadWithoutRoomIsRefusedAndLeavesNothing(t *testing.T) {
	const tooLarge = 10 << 20
	for name, layer := range map[string]func() v1.Layer{
		"of a size that is known": func() v1.Layer {
			layer, err := random.Layer(tooLarge, "application/vnd.oci.image.layer.v1.tar")
			if err != nil {
				t.Fatal(err)
			}
			return layer
		},
		"of a stream": func() v1.Layer {
			return stream.NewLayer(io.NopCloser(io.LimitReader(rand.Reader, tooLarge)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			small := startSmall(t)
			kept := small.push(t, "functions/a:v1", 1<<20)
			before := small.available(t)

			image, err := mutate.AppendLayers(empty.Image, layer())
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(small.reference(t, "functions/b:v1"), image, user); statusOf(err) != http.StatusInsufficientStorage ||
				!strings.Contains(err.Error(), "DENIED") || !strings.Contains(err.Error(), "of its 8 MiB are in use") {
				t.Errorf("push 10 MiB: %v, want a refusal that says how full the volume is", err)
			}
			small.isWhole(t, kept)
			// Some KB of directories and of what an upload begins with.
			if after := small.available(t); before-after > 64<<10 {
				t.Errorf("%d bytes were taken by what was refused", before-after)
			}
			small.push(t, "functions/b:v1", 1<<20)
		})
	}
}

func TestAllButUploadsGoesOnWhileTheVolumeIsFull(t *testing.T) {
	small := startSmall(t)
	kept, unused := small.push(t, "shop__orders:v1", 1<<20), small.push(t, "shop__orders:v2", 1<<20)
	small.fill(t)

	if err := remote.Write(small.reference(t, "shop__bills:v1"), randomImage(t, 1024), user); statusOf(err) != http.StatusInsufficientStorage {
		t.Errorf("push: %v, want 507", err)
	}
	small.isWhole(t, kept)
	image, err := remote.Image(kept, user)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(small.reference(t, "shop__orders:again"), image, user); err != nil {
		t.Errorf("push an image whose layers are there: %v", err)
	}

	// It is killed, and starts on the full volume.
	small.restart(t)
	small.isWhole(t, kept)
	small.later = time.Hour
	digest := digestOf(t, image)
	request, err := http.NewRequest(http.MethodPost, small.server.URL+collection.Path, strings.NewReader(`{"images": ["shop__orders@`+digest+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("user", "secret")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("collect: %s", response.Status)
	}
	if _, err := remote.Head(unused, user); statusOf(err) != http.StatusNotFound {
		t.Errorf("get what was collected: %v, want 404", err)
	}
	small.isWhole(t, kept)
	small.push(t, "shop__bills:v1", 512<<10)
}

// Nobody learns from a full volume what isn't theirs to do.
func TestStrangersAreNotHeardWhileTheVolumeIsFull(t *testing.T) {
	small := startSmall(t)
	small.fill(t)
	shop := access.ForNamespace("shop", "secret")
	for _, login := range []access.Credentials{{}, {Username: "user", Password: "guess"}, shop} {
		request, err := http.NewRequest(http.MethodPut, small.server.URL+"/v2/other__orders/manifests/v1", bytes.NewReader([]byte("{}")))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(login.Username, login.Password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("push as %q: %s", login.Username, response.Status)
		}
	}
}

// small is a registry on a small file system.
type small struct {
	storage, credentials string
	handler              http.Handler
	server               *httptest.Server
	// later is how much time has passed.
	later time.Duration
}

func startSmall(t *testing.T) *small {
	t.Helper()
	started := &small{storage: t.TempDir(), credentials: newCredentials(t)}
	if err := syscall.Mount("tmpfs", started.storage, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mount a small file system, which takes root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(started.storage, syscall.MNT_DETACH) })
	started.restart(t)
	started.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { started.handler.ServeHTTP(w, r) }))
	t.Cleanup(started.server.Close)
	return started
}

func (s *small) restart(t *testing.T) {
	t.Helper()
	var err error
	s.handler, err = registry.NewHandler(t.Context(), registry.Options{
		Storage: s.storage, CredentialsDir: s.credentials, Now: func() time.Time { return time.Now().Add(s.later) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *small) reference(t *testing.T, text string) name.Reference {
	t.Helper()
	reference, err := name.ParseReference(strings.TrimPrefix(s.server.URL, "http://") + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

func (s *small) push(t *testing.T, to string, size int64) name.Reference {
	t.Helper()
	reference := s.reference(t, to)
	if err := remote.Write(reference, randomImage(t, size), user); err != nil {
		t.Fatal(err)
	}
	return reference
}

func randomImage(t *testing.T, size int64) v1.Image {
	t.Helper()
	image, err := random.Image(size, 1)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// isWhole pulls all of an image, as a node does.
func (s *small) isWhole(t *testing.T, reference name.Reference) {
	t.Helper()
	image, err := remote.Image(reference, user)
	if err != nil {
		t.Fatalf("pull: %v", err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		content, err := layer.Compressed()
		if err != nil {
			t.Fatalf("pull layer: %v", err)
		}
		// What is read is checked against the digest.
		if _, err := io.Copy(io.Discard, content); err != nil {
			t.Errorf("pull layer: %v", err)
		}
		content.Close()
	}
}

func (s *small) available(t *testing.T) int64 {
	t.Helper()
	usage, err := volume.Measure(s.storage)
	if err != nil {
		t.Fatal(err)
	}
	return int64(usage.Bytes.Available)
}

// fill leaves a few KB.
func (s *small) fill(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.storage, "of-others"), make([]byte, s.available(t)-40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
}
