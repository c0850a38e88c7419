package git

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
)

func init() {
	// Azure DevOps refuses clients without multi_ack, which the library
	// doesn't implement. It is only needed to go on from earlier fetches, and
	// there are none here.
	transport.UnsupportedCapabilities = []capability.Capability{capability.ThinPack}
	// The configuration of the machine's user is none of a Function's.
	gitssh.DefaultSSHConfig = nil
}

// bounds of one exchange with a server, which may be anybody's.
type bounds struct {
	time  time.Duration
	bytes int64
}

// open starts an exchange with the remote. The host key is known once the
// server has been asked something over SSH.
func (r Remote) open(limits bounds) (transport.UploadPackSession, *hostKeys, error) {
	endpoint, err := r.endpoint()
	if err != nil {
		return nil, nil, err
	}
	if endpoint.Protocol == "ssh" {
		return r.openSSH(endpoint, limits)
	}
	client, err := r.httpClient(limits)
	if err != nil {
		return nil, nil, err
	}
	auth := r.Credential.basicAuth()
	session, err := githttp.NewClient(client).NewUploadPackSession(endpoint, auth)
	return session, &hostKeys{}, err
}

func (r Remote) httpClient(limits bounds) (*http.Client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DisableKeepAlives = true
	if r.Credential.certificates != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(r.Credential.certificates)) {
			return nil, fmt.Errorf("the key %s of the Secret with the credentials holds no certificate", keyCertificates)
		}
		base.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: &boundedTransport{base: base, limits: limits}, Timeout: limits.time}, nil
}

// boundedTransport ends answers that are longer than they may be.
type boundedTransport struct {
	base   http.RoundTripper
	limits bounds
}

func (t *boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{&boundedReader{Reader: response.Body, left: t.limits.bytes, limit: t.limits.bytes}, response.Body}
	return response, nil
}

// boundedReader fails where io.LimitReader would pretend that all was read.
type boundedReader struct {
	io.Reader
	left, limit int64
}

func (r *boundedReader) Read(target []byte) (int, error) {
	n, err := r.Reader.Read(target)
	if r.left -= int64(n); r.left < 0 {
		return 0, &LimitError{Message: fmt.Sprintf("the repository sends more than %d MiB, which is the limit; "+
			"use a smaller repository, or one without large files in the commit", r.limit>>20)}
	}
	return n, err
}

// withTimeout bounds what the library does with a context.
func (b bounds) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.time)
}
