package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// PasswordVariable names the environment variable with the password of an
// encrypted key, the one that cosign reads.
const PasswordVariable = "COSIGN_PASSWORD"

// ReadPrivateKey reads the key to sign with: ECDSA in PEM, plain or encrypted
// as `cosign generate-key-pair` does.
func ReadPrivateKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(text, password)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w; give a private key in PEM, and in %s the password of an encrypted one", file, err, PasswordVariable)
	}
	private, isECDSA := key.(*ecdsa.PrivateKey)
	if !isECDSA {
		return nil, fmt.Errorf("read key %s: it is a %T; give an ECDSA key, as of `cosign generate-key-pair`", file, key)
	}
	return private, nil
}

// password is asked for with the variable of cosign, since nobody can be asked in a build.
func password(bool) ([]byte, error) {
	value, set := os.LookupEnv(PasswordVariable)
	if !set {
		return nil, errors.New("the key is encrypted, and " + PasswordVariable + " is not set")
	}
	return []byte(value), nil
}

// ReadPublicKey reads the key to verify with: ECDSA in PEM.
func ReadPublicKey(file string) (*ecdsa.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, fmt.Errorf("read key %s: it is a private key; give the public one", file)
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w; give a public key in PEM", file, err)
	}
	public, isECDSA := key.(*ecdsa.PublicKey)
	if !isECDSA {
		return nil, fmt.Errorf("read key %s: it is a %T; give an ECDSA key, as of `cosign generate-key-pair`", file, key)
	}
	return public, nil
}

// digest is what is signed of a payload.
func digest(payload []byte) []byte {
	hash := crypto.SHA256.New()
	hash.Write(payload)
	return hash.Sum(nil)
}
