// Package certificate issues and renews the certificate of a server inside the
// cluster, and the authority that its clients trust. It decides from what is
// stored and from the time, and touches neither.
package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"time"
)

// The keys of a Secret that holds a Set. The server's are those of
// contract/functions.md 4; what an earlier implementation left there has no
// authority, so it is replaced.
const (
	serverCertificateKey = "server-cert.pem"
	serverKeyKey         = "server-key.pem"
	authoritiesKey       = "ca-cert.pem"
	authorityKeyKey      = "ca-key.pem"
)

// Issuer issues certificates for a server's names. Both are renewed when a
// third of their lifetime is left. A new authority signs nothing at first, and
// the former one stays trusted until it expires: clients have learnt of an
// authority long before they meet it. For that, the server's lifetime is at
// most a third of the authority's.
type Issuer struct {
	// Names are the DNS names of the server.
	Names []string
	// AuthorityLifetime and ServerLifetime are how long certificates are valid.
	AuthorityLifetime, ServerLifetime time.Duration
}

// Set is what a server and its clients need.
type Set struct {
	// Data is the Set as a Secret stores it; nil if what is stored is good.
	Data map[string][]byte
	// Server is what the server identifies itself with.
	Server *tls.Certificate
	// Authorities are those to be trusted, as PEM.
	Authorities []byte
	// RenewAt is when something has to be renewed.
	RenewAt time.Time
}

// Renew returns what is stored, with what is missing, wrong or due made anew.
func (i Issuer) Renew(stored map[string][]byte, now time.Time) (Set, error) {
	data := maps.Clone(stored)
	if data == nil {
		data = map[string][]byte{}
	}
	authority, trusted, err := i.authority(data, now)
	if err != nil {
		return Set{}, err
	}
	server, err := i.server(data, authority, trusted, now)
	if err != nil {
		return Set{}, err
	}
	set := Set{
		Server:      server,
		Authorities: data[authoritiesKey],
		RenewAt:     earlier(i.authorityDue(authority.Leaf), i.serverDue(server.Leaf, authority.Leaf)),
	}
	if !maps.EqualFunc(stored, data, bytes.Equal) {
		set.Data = data
	}
	return set, nil
}

// authority returns the authority that signs, and all that are trusted.
func (i Issuer) authority(data map[string][]byte, now time.Time) (*tls.Certificate, []*x509.Certificate, error) {
	trusted := parseAuthorities(data[authoritiesKey], now)
	stored, err := tls.X509KeyPair(data[authoritiesKey], data[authorityKeyKey])
	if err == nil && stored.Leaf.IsCA && now.Before(i.authorityDue(stored.Leaf)) {
		data[authoritiesKey] = encodeCertificates(trusted)
		return &stored, trusted, nil
	}
	made, err := newAuthority(now, now.Add(i.AuthorityLifetime))
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate authority: %w", err)
	}
	trusted = append([]*x509.Certificate{made.Leaf}, trusted...)
	data[authoritiesKey] = encodeCertificates(trusted)
	if data[authorityKeyKey], err = encodeKey(made.PrivateKey); err != nil {
		return nil, nil, err
	}
	return made, trusted, nil
}

func (i Issuer) server(data map[string][]byte, authority *tls.Certificate, trusted []*x509.Certificate, now time.Time) (*tls.Certificate, error) {
	stored, err := tls.X509KeyPair(data[serverCertificateKey], data[serverKeyKey])
	if err == nil && now.Before(i.serverDue(stored.Leaf, authority.Leaf)) && isTrusted(stored.Leaf, trusted, i.Names, now) {
		return &stored, nil
	}
	made, err := newServer(authority, i.Names, now, earlier(now.Add(i.ServerLifetime), authority.Leaf.NotAfter))
	if err != nil {
		return nil, fmt.Errorf("make server certificate: %w", err)
	}
	data[serverCertificateKey] = encodeCertificates([]*x509.Certificate{made.Leaf})
	if data[serverKeyKey], err = encodeKey(made.PrivateKey); err != nil {
		return nil, err
	}
	return made, nil
}

func (i Issuer) authorityDue(certificate *x509.Certificate) time.Time {
	return certificate.NotAfter.Add(-i.AuthorityLifetime / 3)
}

// serverDue leaves a new authority some time to become known. The server's
// certificate is still good then: it has a third of its lifetime.
func (i Issuer) serverDue(certificate, authority *x509.Certificate) time.Time {
	due := certificate.NotAfter.Add(-i.ServerLifetime / 3)
	if known := authority.NotBefore.Add(clockSkew + i.ServerLifetime/6); known.After(due) {
		return known
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
