package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"kyma-project.io/serverless/internal/signature"
)

const password = "correct horse"

func TestKeysAreReadAsToolsWriteThem(t *testing.T) {
	key := newKey(t)
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"openssl ecparam":          pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
		"openssl genpkey":          privateText(t, key),
		"cosign generate-key-pair": encrypted(t, key),
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(signature.PasswordVariable, password)
			read, err := signature.ReadPrivateKey(write(t, text))
			if err != nil || !read.Equal(key) {
				t.Errorf("%v", err)
			}
		})
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := signature.ReadPublicKey(write(t, public)); err != nil || !read.Equal(&key.PublicKey) {
		t.Errorf("public key: %v", err)
	}
}

func TestKeyThatCanNotBeUsedIsNamed(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := func(file string) error { _, err := signature.ReadPrivateKey(file); return err }
	public := func(file string) error { _, err := signature.ReadPublicKey(file); return err }
	for name, test := range map[string]struct {
		text     []byte
		password string
		read     func(string) error
		want     string
	}{
		"no key":             {[]byte("secret"), "", private, "give a private key in PEM"},
		"an RSA key":         {privateText(t, other), "", private, "give an ECDSA key"},
		"a wrong password":   {encrypted(t, newKey(t)), "wrong", private, "COSIGN_PASSWORD"},
		"a private key":      {privateText(t, newKey(t)), "", public, "give the public one"},
		"no public key":      {[]byte("secret"), "", public, "give a public key in PEM"},
		"a public key to it": {publicText(t, other.Public()), "", public, "give an ECDSA key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(signature.PasswordVariable, test.password)
			file := write(t, test.text)
			if err := test.read(file); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func privateText(t *testing.T, key crypto.PrivateKey) []byte {
	t.Helper()
	text, err := cryptoutils.MarshalPrivateKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func publicText(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	text, err := cryptoutils.MarshalPublicKeyToPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encrypted(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	text, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(key, func(bool) ([]byte, error) { return []byte(password), nil })
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: string(cryptoutils.EncryptedSigstorePrivateKeyPEMType), Bytes: text})
}

func write(t *testing.T, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
