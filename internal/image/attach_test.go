package image_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	openregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/referrer"
)

func TestImageHasAnnotationsAndWhatIsAttached(t *testing.T) {
	server := start(t)
	base := server.base(t)
	server.pushDependencies(t, "deps1")
	var seen image.Assembled
	parts := partsOf(t, base, "main = 1")
	parts.Dependencies, parts.DependenciesRepository = "deps1", "shop.dependencies"
	parts.About = func(made image.Assembled) ([]referrer.Artifact, error) {
		seen = made
		return []referrer.Artifact{{Type: "text/one", Content: []byte("1")}, {Type: "text/two", Content: []byte("2"), Annotations: map[string]string{"of": "two"}}}, nil
	}
	digest, err := server.client.Assemble(t.Context(), "shop__orders", "tag1", parts)
	if err != nil {
		t.Fatal(err)
	}
	if seen.Digest != digest || seen.Source == "" || seen.Dependencies == "" || seen.Packages != `{"packages":[]}` {
		t.Errorf("told of %+v, the image is %s", seen, digest)
	}
	manifest, err := server.pull(t, "shop__orders", digest).Manifest()
	if err != nil || manifest.Annotations["org.opencontainers.image.revision"] != "1" {
		t.Errorf("annotations %v, %v", manifest.Annotations, err)
	}
	if got := server.attached(t, "shop__orders", digest); !slices.Equal(got, []string{"text/one 1", "text/two 2"}) {
		t.Errorf("attached are %q", got)
	}
	// Put together again, as after a push that was broken off.
	if again, err := server.client.Assemble(t.Context(), "shop__orders", "tag2", parts); again != digest || err != nil {
		t.Errorf("%s, %v; want %s", again, err, digest)
	}
	if got := server.attached(t, "shop__orders", digest); len(got) != 2 {
		t.Errorf("attached are %q", got)
	}
}

// The tag is what has an image put together no more: it comes last.
func TestImageWithoutWhatIsAttachedHasNoTag(t *testing.T) {
	server := start(t)
	parts := partsOf(t, server.base(t), "main = 1")
	parts.About = func(image.Assembled) ([]referrer.Artifact, error) {
		return []referrer.Artifact{{Type: "text/one", Content: []byte("1")}}, nil
	}
	var full atomic.Bool
	full.Store(true)
	server.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		refused := full.Load() && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-")
		if refused {
			http.Error(w, "the disk is full", http.StatusInternalServerError)
		}
		return refused
	})
	if _, err := server.client.Assemble(t.Context(), "shop__orders", "tag1", parts); err == nil {
		t.Error("assembled without what is attached")
	} else if _, unavailable := errors.AsType[*image.UnavailableError](err); !unavailable {
		t.Error(err)
	}
	if found, err := server.client.Find(t.Context(), "shop__orders", "tag1"); found != "" || err != nil {
		t.Errorf("found %q, %v", found, err)
	}
	full.Store(false)
	digest, err := server.client.Assemble(t.Context(), "shop__orders", "tag1", parts)
	if err != nil {
		t.Fatal(err)
	}
	if got := server.attached(t, "shop__orders", digest); len(got) != 1 {
		t.Errorf("attached are %q", got)
	}
}

func TestRegistryOfNothingButImagesHasThemWithoutMore(t *testing.T) {
	images := openregistry.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			content, err := io.ReadAll(r.Body)
			if err != nil || strings.Contains(string(content), "artifactType") {
				http.Error(w, "manifest invalid", http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(strings.NewReader(string(content)))
		}
		images.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	client, err := image.NewRegistry(image.Location{Push: host, Pull: host, PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	releases := start(t)
	base, err := new(image.Bases).Ensure(t.Context(), client, releases.release(t))
	if err != nil {
		t.Fatal(err)
	}
	parts := partsOf(t, base, "main = 1")
	parts.About = func(image.Assembled) ([]referrer.Artifact, error) {
		return []referrer.Artifact{{Type: "text/one", Content: []byte("1")}}, nil
	}
	digest, err := client.Assemble(t.Context(), "shop__orders", "tag1", parts)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := client.Find(t.Context(), "shop__orders", "tag1"); found != digest || err != nil {
		t.Errorf("found %q, %v", found, err)
	}
}

func partsOf(t *testing.T, base image.Base, source string) image.Parts {
	t.Helper()
	layer, err := image.FilesLayer(functionDir, map[string][]byte{"handler.js": []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	return image.Parts{Base: base, Source: layer, Annotations: map[string]string{"org.opencontainers.image.revision": "1"}}
}

// attached are the types and contents of what is attached to an image.
func (s *testRegistry) attached(t *testing.T, repository, digest string) []string {
	t.Helper()
	subject, err := name.NewDigest(s.host + "/" + repository + "@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(subject, remote.WithAuth(credentials))
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, one := range list.Manifests {
		layers, err := s.pull(t, repository, one.Digest.String()).Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers, %v", len(layers), err)
		}
		content, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, one.ArtifactType+" "+string(text))
	}
	slices.Sort(found)
	return found
}
