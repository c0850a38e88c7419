package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

func TestModuleAndItsImagesAreSigned(t *testing.T) {
	t.Chdir(root)
	host := registryWithLogin(t)
	login(t, host)
	created(t, "--output", t.TempDir(), "--registry", host+"/modules")
	at := []string{"--registry", host + "/modules", "--version", "1.2.3"}
	private, public := keyFiles(t)
	if _, err := run(t, append([]string{"verify", "--key", public}, at...)...); err == nil || !strings.Contains(err.Error(), "it is not signed") {
		t.Errorf("got %v before it is signed", err)
	}
	image := pushedImage(t, host)
	images := filepath.Join(t.TempDir(), "images.txt")
	if err := os.WriteFile(images, []byte("function-builder "+image+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := run(t, append([]string{"sign", "--key", private, "--images", images}, at...)...)
	if err != nil || strings.Count(text, "signed ") != 2 {
		t.Fatalf("%s, %v; want that two are signed", text, err)
	}
	if text, err := run(t, append([]string{"verify", "--key", public}, at...)...); err != nil || !strings.Contains(text, "is signed with "+public) {
		t.Errorf("%s, %v", text, err)
	}
	_, other := keyFiles(t)
	if _, err := run(t, append([]string{"verify", "--key", other}, at...)...); err == nil || !strings.Contains(err.Error(), "not made with this key") {
		t.Errorf("got %v with another key", err)
	}
	// Another version in its place is not what was signed.
	created(t, "--output", t.TempDir(), "--registry", host+"/modules", "--images", "registry.test/other")
	if _, err := run(t, append([]string{"verify", "--key", public}, at...)...); err == nil || !strings.Contains(err.Error(), "it is not signed") {
		t.Errorf("got %v of a replaced bundle", err)
	}
}

func TestSigningSaysWhatIsMissing(t *testing.T) {
	t.Chdir(root)
	host := registryWithLogin(t)
	login(t, host)
	private, _ := keyFiles(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--key", private, "--registry", host + "/modules", "--version", "9.9.9"}, "find 9.9.9 of " + host + "/modules/component-descriptors/kyma-project.io/module/serverless to sign it"},
		{[]string{"--key", "none.key", "--registry", host + "/modules"}, "read key"},
		{[]string{"--key", private, "--registry", host, "--images", "README.md"}, "give it what the images program prints"},
		{[]string{"--key", private}, "--registry"},
	} {
		if _, err := run(t, append([]string{"sign"}, test.args...)...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want an error with %q", test.args, err, test.want)
		}
	}
}

func pushedImage(t *testing.T, host string) string {
	t.Helper()
	image, err := random.Image(10, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/prod/function-builder:1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.String() + "@" + digest.String()
}

func keyFiles(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	privateText, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	publicText, err := cryptoutils.MarshalPublicKeyToPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	private, public = filepath.Join(directory, "cosign.key"), filepath.Join(directory, "cosign.pub")
	for file, text := range map[string][]byte{private: privateText, public: publicText} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}
