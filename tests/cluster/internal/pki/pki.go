// Package pki makes the certificates and kubeconfigs of one cluster.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime covers any cluster of this kind; each start makes new certificates.
const lifetime = 365 * 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// Subject is who a certificate is for: a user with groups, or a server with
// names and addresses.
type Subject struct {
	User   string
	Groups []string
	Names  []string
	IPs    []net.IP
}

// NewAuthority makes an authority and writes its certificate and key to
// dir/name.crt and dir/name.key.
func NewAuthority(dir, name string) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := newTemplate(Subject{User: name})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	a := &Authority{certificate: template, key: key}
	der, err := a.sign(template, key)
	if err != nil {
		return nil, fmt.Errorf("make authority %s: %w", name, err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parse authority %s: %w", name, err)
	}
	return a, writePair(filepath.Join(dir, name), der, key)
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// Issue makes a certificate for subject and returns it and its key, PEM-encoded.
func (a *Authority) Issue(subject Subject) (certificate, key []byte, err error) {
	signer, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template := newTemplate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := a.sign(template, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate for %s: %w", subject.User, err)
	}
	if key, err = encodeKey(signer); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, nil
}

// IssueTo is Issue into dir/name.crt and dir/name.key.
func (a *Authority) IssueTo(dir, name string, subject Subject) error {
	certificate, key, err := a.Issue(subject)
	if err != nil {
		return err
	}
	return writeFiles(filepath.Join(dir, name), certificate, key)
}

func (a *Authority) sign(template *x509.Certificate, key crypto.Signer) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
}

// WriteKeyPair writes a bare key pair to dir/name.pub and dir/name.key: what
// service account tokens are signed with.
func WriteKeyPair(dir, name string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode public key: %w", err)
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644); err != nil {
		return fmt.Errorf("write public key: %w", err)
	}
	if err := os.WriteFile(path+".key", private, 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

func newTemplate(subject Subject) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails since Go 1.24
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: subject.User, Organization: subject.Groups},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(lifetime),
		DNSNames:     subject.Names,
		IPAddresses:  subject.IPs,
	}
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func writePair(path string, der []byte, key *ecdsa.PrivateKey) error {
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	return writeFiles(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), private)
}

func writeFiles(path string, certificate, key []byte) error {
	if err := os.WriteFile(path+".crt", certificate, 0o644); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	if err := os.WriteFile(path+".key", key, 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}
