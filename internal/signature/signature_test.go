package signature_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"

	"kyma-project.io/serverless/internal/signature"
)

const repository = "registry.test/modules/serverless"

func TestSignedArtifactIsVerified(t *testing.T) {
	store, key := memory.New(), newKey(t)
	artifact := push(t, store, "one")
	if err := signature.Verify(t.Context(), store, artifact, &key.PublicKey); err == nil || !strings.Contains(err.Error(), "it is not signed") {
		t.Errorf("%v, want that it is not signed", err)
	}
	sign(t, store, artifact, key)
	if err := signature.Verify(t.Context(), store, artifact, &key.PublicKey); err != nil {
		t.Error(err)
	}
	if err := signature.Verify(t.Context(), store, artifact, &newKey(t).PublicKey); err == nil || !strings.Contains(err.Error(), "not made with this key") {
		t.Errorf("%v with another key", err)
	}
}

func TestKeySignsAnArtifactOnce(t *testing.T) {
	store, first, second := memory.New(), newKey(t), newKey(t)
	artifact := push(t, store, "one")
	for range 2 {
		sign(t, store, artifact, first)
		sign(t, store, artifact, second)
	}
	if layers := manifest(t, store, artifact).Layers; len(layers) != 2 {
		t.Errorf("%d signatures of two keys", len(layers))
	}
	for _, key := range []*ecdsa.PrivateKey{first, second} {
		if err := signature.Verify(t.Context(), store, artifact, &key.PublicKey); err != nil {
			t.Error(err)
		}
	}
}

func TestVerificationNamesWhatWasTamperedWith(t *testing.T) {
	key := newKey(t)
	for name, test := range map[string]struct {
		tamper func(t *testing.T, store *memory.Store, artifact ocispec.Descriptor, signed *ocispec.Manifest)
		want   string
	}{
		"the payload": {func(t *testing.T, store *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			changed := pushBlob(t, store, signed.Layers[0].MediaType, `{"critical":{"type":"cosign container image signature"}}`)
			changed.Annotations = signed.Layers[0].Annotations
			signed.Layers[0] = changed
		}, "its payload was changed since"},
		"the signature": {func(_ *testing.T, _ *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			signed.Layers[0].Annotations = map[string]string{"dev.cosignproject.cosign/signature": "!"}
		}, "read its annotation dev.cosignproject.cosign/signature"},
		"the artifact": {func(t *testing.T, store *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			other := push(t, store, "other")
			sign(t, store, other, key)
			*signed = manifest(t, store, other)
		}, "it is of another artifact, sha256:"},
		"the media type": {func(_ *testing.T, _ *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			signed.Layers[0].MediaType = "text/plain"
		}, `its media type is "text/plain"`},
		"all signatures": {func(_ *testing.T, _ *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			signed.Layers = nil
		}, "it is not signed"},
		"the blob": {func(t *testing.T, store *memory.Store, _ ocispec.Descriptor, signed *ocispec.Manifest) {
			signed.Layers[0].Digest = digest.Digest("sha256:" + strings.Repeat("0", 64))
		}, "read its payload"},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New()
			artifact := push(t, store, "one")
			sign(t, store, artifact, key)
			signed := manifest(t, store, artifact)
			test.tamper(t, store, artifact, &signed)
			text, err := json.Marshal(signed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := oras.TagBytes(t.Context(), store, ocispec.MediaTypeImageManifest, text, signature.Tag(artifact)); err != nil {
				t.Fatal(err)
			}
			err = signature.Verify(t.Context(), store, artifact, &key.PublicKey)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), artifact.Digest.String()) {
				t.Errorf("got %v, want %q of %s", err, test.want, artifact.Digest)
			}
		})
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, store oras.Target, artifact ocispec.Descriptor, key *ecdsa.PrivateKey) {
	t.Helper()
	if err := signature.Sign(t.Context(), store, repository, artifact, key); err != nil {
		t.Fatal(err)
	}
}

func push(t *testing.T, store oras.Target, text string) ocispec.Descriptor {
	t.Helper()
	return pushBlob(t, store, "application/vnd.test", text)
}

func pushBlob(t *testing.T, store oras.Target, mediaType, text string) ocispec.Descriptor {
	t.Helper()
	descriptor, err := oras.PushBytes(t.Context(), store, mediaType, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return descriptor
}

func manifest(t *testing.T, store oras.ReadOnlyTarget, artifact ocispec.Descriptor) ocispec.Manifest {
	t.Helper()
	_, text, err := oras.FetchBytes(t.Context(), store, signature.Tag(artifact), oras.DefaultFetchBytesOptions)
	if err != nil {
		t.Fatal(err)
	}
	var found ocispec.Manifest
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}
