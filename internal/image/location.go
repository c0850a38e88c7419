// Package image puts a Function's image together out of layers that are in
// the registry already, and knows where images are kept.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/internal/repository"
)

// Location says where a namespace's images are kept and how to get at them.
type Location struct {
	// Push is the address, with an optional path, that the cluster's Pods use;
	// Pull is the one that the nodes use.
	Push, Pull string
	// Username and Password are empty where the registry asks for none.
	Username, Password string
	// PlainHTTP allows a connection without TLS.
	PlainHTTP bool
	// Internal is the module's own registry, which knows builds by the tokens
	// of their Pods.
	Internal bool
	// Certificates are those of private authorities that the registry's own may
	// be signed by, in PEM.
	Certificates string
}

// CertificatesKey of a registry's Secret has the Location's Certificates.
const CertificatesKey = "ca.crt"

// LocationFromSecret reads the Secret that describes the registry
// (contract/functions.md 5: the keys of serverless-registry-config-default).
func LocationFromSecret(secret *corev1.Secret) (Location, error) {
	value := func(key string) string { return strings.TrimSuffix(string(secret.Data[key]), "/") }
	location := Location{Username: string(secret.Data["username"]), Password: string(secret.Data["password"])}
	if value("isInternal") == "true" {
		location.Push, location.Pull, location.PlainHTTP, location.Internal = value("pushRegAddr"), value("pullRegAddr"), true, true
	} else {
		location.Push, location.Pull = value("registryAddress"), value("registryAddress")
		location.Certificates = string(secret.Data[CertificatesKey])
		location.PlainHTTP = location.Certificates == "" && isBareHost(location.Push)
	}
	if location.Push == "" || location.Pull == "" {
		return Location{}, fmt.Errorf("read registry configuration from Secret %s/%s: it names no registry address; "+
			"set registryAddress, or let the Serverless resource configure the registry", secret.Namespace, secret.Name)
	}
	return location, nil
}

// isBareHost tells whether the address begins with a host without a domain:
// k3d's registry has no certificate, but names with a domain never get
// credentials in the clear, and neither does Docker Hub, where an address of
// one word is a user's name.
func isBareHost(address string) bool {
	host, _, _ := strings.Cut(address, "/")
	name, _, hasPort := strings.Cut(host, ":")
	return !strings.Contains(name, ".") && (hasPort || name == "localhost")
}

// runtimesRepository holds the copies of the runtimes' base images.
const runtimesRepository = repository.Runtimes

// Key digests the parts into a tag: equal parts, equal tag.
func Key(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		// Lengths keep one part's end from being read as another's start.
		fmt.Fprintf(hash, "%d %s ", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
