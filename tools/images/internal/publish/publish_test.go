package publish_test

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/publish"
)

var amd64, arm64 = v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64"}

func TestOnePlatformIsPushedAsAnImage(t *testing.T) {
	registry := newRegistry(t)
	ref := publishTo(t, registry, "hello", join(t, amd64))

	pulled, err := remote.Get(ref, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		t.Fatal(err)
	}
	if pulled.MediaType != types.OCIManifestSchema1 {
		t.Errorf("there is a %s", pulled.MediaType)
	}
	manifest, err := v1.ParseManifest(strings.NewReader(string(pulled.Manifest)))
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest.Annotations["org.opencontainers.image.title"]; got != "hello" {
		t.Errorf("title is %q", got)
	}
}

func TestSeveralPlatformsArePushedAsAnIndex(t *testing.T) {
	registry := newRegistry(t)
	what := join(t, amd64, arm64)
	ref := publishTo(t, registry, "hello", what)

	for _, platform := range []v1.Platform{amd64, arm64} {
		pulled, err := remote.Image(ref, remote.WithPlatform(platform), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			t.Fatal(err)
		}
		file, err := pulled.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if file.Architecture != platform.Architecture {
			t.Errorf("image for %s is for %s", platform, file.Architecture)
		}
	}
}

func TestLayoutHoldsTheNewestOfEachName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	for _, what := range []image.Pushable{join(t, amd64), join(t, amd64, arm64)} {
		// As in two runs of the tool.
		to, err := publish.NewLayout(dir, "v1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Publish(t.Context(), "hello", what); err != nil {
			t.Fatal(err)
		}
		if ref, err := to.Publish(t.Context(), "other", what); err != nil || ref != "other:v1" {
			t.Fatal(ref, err)
		}
	}

	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]types.MediaType{}
	for _, entry := range manifest.Manifests {
		names[entry.Annotations["org.opencontainers.image.ref.name"]] = entry.MediaType
	}
	if len(manifest.Manifests) != 2 || names["hello:v1"] != types.OCIImageIndex || names["other:v1"] != types.OCIImageIndex {
		t.Errorf("layout holds %v", names)
	}
}

func TestErrorSaysWhatToDo(t *testing.T) {
	if _, err := publish.NewRegistry("http://host", "v1"); err == nil || !strings.Contains(err.Error(), "HOST[:PORT]") {
		t.Errorf("got %v", err)
	}
	host := newRegistry(t)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	to, err := publish.NewRegistry(host, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Publish(t.Context(), "hello", join(t, amd64)); err == nil || !strings.Contains(err.Error(), "are you logged in") {
		t.Errorf("got %v", err)
	}
}

func publishTo(t *testing.T, host, imageName string, what image.Pushable) name.Reference {
	t.Helper()
	to, err := publish.NewRegistry(host+"/prefix", "v1")
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := to.Publish(t.Context(), imageName, what)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(pushed)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func join(t *testing.T, platforms ...v1.Platform) image.Pushable {
	t.Helper()
	images := make([]v1.Image, 0, len(platforms))
	for _, platform := range platforms {
		layer := static.NewLayer([]byte(platform.String()), types.OCILayer)
		built, err := image.Image(platform, v1.Config{Labels: image.Labels("hello", "Says hello")}, layer)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, built)
	}
	joined, err := image.Join(platforms, images)
	if err != nil {
		t.Fatal(err)
	}
	return joined
}

// newRegistry runs the module's own registry, and logs in to it.
func newRegistry(t *testing.T) string {
	t.Helper()
	credentials, docker := t.TempDir(), t.TempDir()
	write := func(dir, file, content string) error {
		return os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600)
	}
	if err := errors.Join(write(credentials, "username", "user"), write(credentials, "password", "secret")); err != nil {
		t.Fatal(err)
	}
	handler, err := registry.NewHandler(t.Context(), registry.Options{Storage: t.TempDir(), CredentialsDir: credentials})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	auth := base64.StdEncoding.EncodeToString([]byte("user:secret"))
	if err := write(docker, "config.json", `{"auths":{"`+host+`":{"auth":"`+auth+`"}}}`); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", docker)
	return host
}
