package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/proxy"
)

func (r Remote) openSSH(endpoint *transport.Endpoint, limits bounds) (transport.UploadPackSession, *hostKeys, error) {
	if r.Credential.key == "" {
		return nil, nil, &AuthorizationError{Address: r.Address()}
	}
	signer, err := r.Credential.signer()
	if err != nil {
		return nil, nil, err
	}
	user := endpoint.User
	if user == "" {
		user = gitssh.DefaultUsername
	}
	port := endpoint.Port
	if port <= 0 {
		port = gitssh.DefaultPort
	}
	keys, err := r.hostKeys(net.JoinHostPort(endpoint.Host, strconv.Itoa(port)))
	if err != nil {
		return nil, nil, err
	}
	// Encryption adds to what is sent; what the caller reads has a bound of its own.
	endpoint.Proxy.URL = boundedURL(bounds{time: limits.time, bytes: limits.bytes + limits.bytes/4})
	session, err := gitssh.NewClient(nil).NewUploadPackSession(endpoint, &sshAuth{config: &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms,
		Timeout:           limits.time,
	}})
	return session, keys, err
}

// sshAuth is an authentication of which we decide all.
type sshAuth struct{ config *ssh.ClientConfig }

func (*sshAuth) Name() string                               { return gitssh.PublicKeysName }
func (*sshAuth) String() string                             { return gitssh.PublicKeysName }
func (a *sshAuth) ClientConfig() (*ssh.ClientConfig, error) { return a.config, nil }

// hostKeys decides whether a server is the one that it says it is.
type hostKeys struct {
	// seen is the key that was accepted, as type and fingerprint.
	seen string
	// algorithms to use, those of the keys that can be accepted first: a server
	// has several keys, and is to show the one that is known.
	algorithms []string
	accept     ssh.HostKeyCallback
}

// hostKeyError says that a server has another host key than it should.
type hostKeyError struct{ message string }

func (e *hostKeyError) Error() string { return e.message }

func (k *hostKeys) check(host string, address net.Addr, key ssh.PublicKey) error {
	if err := k.accept(host, address, key); err != nil {
		return err
	}
	k.seen = fingerprint(key)
	return nil
}

func fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// hostKeys chooses what decides: the known hosts of the Secret; or else the
// key that the server had before; or else, at the first time, nothing
// (docs/decisions/git-sources.md).
func (r Remote) hostKeys(address string) (*hostKeys, error) {
	switch {
	case r.Credential.ignoreHostKey:
		return &hostKeys{accept: ssh.InsecureIgnoreHostKey()}, nil
	case r.Credential.knownHosts != "":
		return knownHostKeys(r.Credential.knownHosts, address)
	case r.HostKey != "":
		return pinnedHostKey(r.HostKey, address), nil
	}
	return &hostKeys{accept: ssh.InsecureIgnoreHostKey()}, nil
}

func knownHostKeys(text, address string) (*hostKeys, error) {
	// The library reads files only.
	file, err := os.CreateTemp("", "known_hosts-")
	if err != nil {
		return nil, fmt.Errorf("store known hosts: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("store known hosts: %w", err)
	}
	known, err := knownhosts.NewDB(file.Name())
	if err != nil {
		return nil, fmt.Errorf("the key %s of the Secret with the credentials can't be read: write it as ssh-keyscan does", keyKnownHosts)
	}
	accept := known.HostKeyCallback()
	return &hostKeys{
		algorithms: preferred(known.HostKeyAlgorithms(address)),
		accept: func(host string, from net.Addr, key ssh.PublicKey) error {
			if err := accept(host, from, key); err != nil {
				return &hostKeyError{fmt.Sprintf("the SSH host key of %s is %s, which is not under %s of the Secret with the credentials; "+
					"if this is the server's true key, add its line there", host, fingerprint(key), keyKnownHosts)}
			}
			return nil
		},
	}, nil
}

func pinnedHostKey(pinned, address string) *hostKeys {
	var kind, sum string
	_, _ = fmt.Sscan(pinned, &kind, &sum)
	algorithms := []string{kind}
	if kind == ssh.KeyAlgoRSA {
		algorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return &hostKeys{algorithms: preferred(algorithms), accept: func(_ string, _ net.Addr, key ssh.PublicKey) error {
		if found := fingerprint(key); found != pinned {
			return &hostKeyError{fmt.Sprintf("the SSH host key of %s is %s, and was %s before: somebody may be in between; "+
				"if the server's key was changed on purpose, add the new one under %s to the Secret with the credentials",
				address, found, pinned, keyKnownHosts)}
		}
		return nil
	}}
}

// preferred puts the algorithms before all others.
func preferred(first []string) []string {
	all := slices.Clone(first)
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		if !slices.Contains(all, algorithm) {
			all = append(all, algorithm)
		}
	}
	return all
}

// The library's SSH client bounds neither the time of a handshake nor what a
// server sends. It dials through the proxy that an endpoint names, so a
// "proxy" of our own, which connects directly, sets the bounds.
const boundedScheme = "serverless-bounded"

func init() {
	proxy.RegisterDialerType(boundedScheme, func(limits *url.URL, _ proxy.Dialer) (proxy.Dialer, error) {
		seconds, err := strconv.Atoi(limits.Query().Get("seconds"))
		if err != nil {
			return nil, err
		}
		bytes, err := strconv.ParseInt(limits.Query().Get("bytes"), 10, 64)
		return boundedDialer{bounds{time: time.Duration(seconds) * time.Second, bytes: bytes}}, err
	})
}

func boundedURL(limits bounds) string {
	return fmt.Sprintf("%s://direct?seconds=%d&bytes=%d", boundedScheme, max(1, int(limits.time/time.Second)), limits.bytes)
}

type boundedDialer struct{ limits bounds }

func (d boundedDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d boundedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := (&net.Dialer{Timeout: d.limits.time}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := connection.SetDeadline(time.Now().Add(d.limits.time)); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return &boundedConn{Conn: connection, reader: boundedReader{Reader: connection, left: d.limits.bytes, limit: d.limits.bytes}}, nil
}

type boundedConn struct {
	net.Conn
	reader boundedReader
}

func (c *boundedConn) Read(target []byte) (int, error) { return c.reader.Read(target) }
