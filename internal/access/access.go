// Package access decides who may do what in the module's own registry
// (docs/decisions/registry-access.md).
package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"kyma-project.io/serverless/internal/repository"
)

const (
	// Audience is what a token of a build's Pod is for: the registry, not the
	// API server.
	Audience = "serverless-docker-registry"
	// TokenUser is the user name that comes with such a token as its password.
	TokenUser = "build-token"
	// namespaceUser begins the user name of a namespace's credentials. No
	// namespace's name has a slash.
	namespaceUser = "namespace/"
)

// Credentials log in to the registry.
type Credentials struct{ Username, Password string }

// ForNamespace returns the credentials that pull a namespace's images. They
// follow from the module's own, so nobody has to store them, and change with those.
func ForNamespace(namespace, modulePassword string) Credentials {
	// Hashed, since FIPS mode takes no key of less than 112 bits.
	key := sha256.Sum256([]byte("serverless registry: pull credentials of namespaces\n" + modulePassword))
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(namespace))
	return Credentials{Username: namespaceUser + namespace, Password: hex.EncodeToString(mac.Sum(nil))}
}

// Action is what is done to a repository, in the registry protocol's words.
type Action string

const (
	Pull   Action = "pull"
	Push   Action = "push"
	Delete Action = "delete"
)

// Identity is who asks. The zero value is nobody, who may do nothing.
type Identity struct {
	role      role
	namespace string
}

type role int

const (
	nobody role = iota
	module
	namespace
	build
)

// BuildOf is a build's Pod in the namespace.
func BuildOf(in string) Identity { return Identity{role: build, namespace: in} }

// Identify tells who has the credentials, of which the module's are given.
// A build is not told by credentials, but by its token.
func Identify(given, ofModule Credentials) Identity {
	if ofModule.Username == "" || ofModule.Password == "" {
		return Identity{}
	}
	if equal(given, ofModule) {
		return Identity{role: module}
	}
	if name, found := strings.CutPrefix(given.Username, namespaceUser); found && name != "" && equal(given, ForNamespace(name, ofModule.Password)) {
		return Identity{role: namespace, namespace: name}
	}
	return Identity{}
}

// equal compares digests: they have one length, so comparing them tells
// nothing about the secret's; and they cost a microsecond where bcrypt costs a
// core tens of milliseconds for every request of a pull.
func equal(given, want Credentials) bool {
	givenName, wantName := sha256.Sum256([]byte(given.Username)), sha256.Sum256([]byte(want.Username))
	givenPassword, wantPassword := sha256.Sum256([]byte(given.Password)), sha256.Sum256([]byte(want.Password))
	return subtle.ConstantTimeCompare(givenName[:], wantName[:])&subtle.ConstantTimeCompare(givenPassword[:], wantPassword[:]) == 1
}

// Known tells whether it is anybody.
func (i Identity) Known() bool { return i.role != nobody }

// IsModule tells whether it is the module itself, who may do everything.
func (i Identity) IsModule() bool { return i.role == module }

// May tells whether the identity may do this to the repository.
func (i Identity) May(do Action, to string) bool {
	switch i.role {
	case module:
		return true
	case namespace:
		// Former Functions' Pods run until they are replaced. Build Jobs run copies
		// of the runtimes where releases are not public (docs/decisions/markets.md).
		return do == Pull && (repository.IsOf(to, i.namespace) || repository.IsFormerOf(to, i.namespace) || to == repository.Runtimes)
	case build:
		return (do == Pull || do == Push) && to == repository.Dependencies(i.namespace)
	default:
		return false
	}
}

// String is how a log names the identity.
func (i Identity) String() string {
	switch i.role {
	case module:
		return "module"
	case namespace:
		return namespaceUser + i.namespace
	case build:
		return "build in " + i.namespace
	default:
		return "nobody"
	}
}
