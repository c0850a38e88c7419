package git

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// The keys of a Secret with credentials. The first four are the original's
// (contract/functions.md 2.8).
const (
	keyUsername = "username"
	// keyPassword is the password, or the passphrase of the key.
	keyPassword = "password"
	keySSHKey   = "key"
	// keyKnownHosts holds the SSH host keys to accept, as in OpenSSH's known_hosts.
	keyKnownHosts = "known_hosts"
	// keyIgnoreHostKey set to "true" accepts every SSH host key.
	keyIgnoreHostKey = "insecureIgnoreHostKey"
	// keyCertificates holds more CA certificates to trust.
	keyCertificates = "ca.crt"
)

// Credential is what a Git server wants to see. The zero value is none.
type Credential struct {
	kind                    v1alpha2.RepositoryAuthType
	username, password, key string
	knownHosts              string
	ignoreHostKey           bool
	certificates            string
}

// NewCredential reads the data of a Secret.
func NewCredential(kind v1alpha2.RepositoryAuthType, data map[string][]byte) (Credential, error) {
	credential := Credential{
		kind:          kind,
		username:      string(data[keyUsername]),
		password:      string(data[keyPassword]),
		key:           string(data[keySSHKey]),
		knownHosts:    string(data[keyKnownHosts]),
		ignoreHostKey: strings.TrimSpace(string(data[keyIgnoreHostKey])) == "true",
		certificates:  string(data[keyCertificates]),
	}
	switch kind {
	case v1alpha2.RepositoryAuthBasic:
		if credential.username == "" && credential.password == "" {
			return Credential{}, fmt.Errorf("it has neither the key %s nor the key %s", keyUsername, keyPassword)
		}
	case v1alpha2.RepositoryAuthSSHKey:
		if _, err := credential.signer(); err != nil {
			return Credential{}, err
		}
	default:
		return Credential{}, fmt.Errorf("authentication of type %q is not known; use basic or key", kind)
	}
	return credential, nil
}

// String keeps credentials out of whatever prints one.
func (c Credential) String() string { return "credential of type " + string(c.kind) }

// secrets are what no message may show.
func (c Credential) secrets() []string { return []string{c.password, c.key} }

func (c Credential) signer() (ssh.Signer, error) {
	if c.key == "" {
		return nil, fmt.Errorf("it has no key %s with a private SSH key", keySSHKey)
	}
	// Files that passed through Windows or a web form.
	pem := append(bytes.ReplaceAll(bytes.TrimSpace([]byte(c.key)), []byte("\r\n"), []byte("\n")), '\n')
	if c.password == "" {
		signer, err := ssh.ParsePrivateKey(pem)
		if err != nil {
			return nil, fmt.Errorf("its key %s is no private SSH key that can be read: %w", keySSHKey, err)
		}
		return signer, nil
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(pem, []byte(c.password))
	if err == nil {
		return signer, nil
	}
	// A password beside a key that needs none.
	if signer, plainErr := ssh.ParsePrivateKey(pem); plainErr == nil {
		return signer, nil
	}
	return nil, fmt.Errorf("its key %s can't be read with the passphrase under %s: %w", keySSHKey, keyPassword, err)
}

// basicAuth is nil where the server asks for nothing, or where the URL itself
// has user and password.
func (c Credential) basicAuth() transport.AuthMethod {
	if c.kind != v1alpha2.RepositoryAuthBasic {
		return nil
	}
	username := c.username
	if username == "" {
		username = "git" // A token alone: the hosts take any name with it.
	}
	return &githttp.BasicAuth{Username: username, Password: c.password}
}
