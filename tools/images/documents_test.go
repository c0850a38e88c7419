package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	spdx "github.com/spdx/tools-golang/json"

	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/publish"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// Whoever has the digest of an image finds its document, and so does who has
// that of the index.
func TestEachImageAndTheIndexHaveADocument(t *testing.T) {
	server := httptest.NewServer(registry.New())
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := strings.TrimPrefix(server.URL, "http://")
	to, err := publish.NewRegistry(host, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := &builds{platforms: []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}, cache: cache}
	runtime := target{
		name: "nodejs", build: func(_ context.Context, platform v1.Platform) (v1.Image, error) {
			config := &v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture}
			return mutate.ConfigFile(empty.Image, config)
		},
		more: []sbom.Package{{Type: "generic", Name: "nodejs", Version: "22.1.0"}},
	}
	for range 2 { // A release that is tried again has one document still.
		if err := all.run(t.Context(), []target{runtime}, to); err != nil {
			t.Fatal(err)
		}
	}
	tag, err := name.NewTag(host + "/nodejs:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 {
		t.Fatalf("%+v, %v", manifest, err)
	}
	for _, of := range []v1.Hash{digest, manifest.Manifests[0].Digest, manifest.Manifests[1].Digest} {
		attached, err := referrer.Read(tag.Digest(of.String()), sbom.MediaType)
		if err != nil || len(attached) != 1 {
			t.Fatalf("%d documents of %s, %v", len(attached), of, err)
		}
		document, err := spdx.Read(bytes.NewReader(attached[0]))
		if err != nil || len(document.Packages) != 2 || document.Packages[0].PackageVersion != of.String() || document.Packages[1].PackageVersion != "22.1.0" {
			t.Errorf("%s, %v", attached[0], err)
		}
	}
}
