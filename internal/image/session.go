package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// session is how a registry is talked to after it has said how it wants to be.
type session struct {
	options []remote.Option
	puller  *remote.Puller
}

const (
	// greeting is the time for a registry to say how it wants to be talked to,
	// patience that for the beginning of any other answer: a registry that
	// accepts connections and says nothing would hold workers for minutes.
	greeting = 10 * time.Second
	patience = 30 * time.Second
	// courtesy is the time that a caller waits for that greeting.
	courtesy = time.Second
	// pause is the time between two looks for a registry that failed.
	pause = 2 * time.Second
)

var boundedTransport = func() *http.Transport {
	bounded := remote.DefaultTransport.(*http.Transport).Clone()
	bounded.ResponseHeaderTimeout = patience
	return bounded
}()

// trusting is the transport for a registry whose certificate may be signed by
// authorities of the user's own.
func trusting(certificates string) (*http.Transport, error) {
	if certificates == "" {
		return boundedTransport, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM([]byte(certificates)) {
		return nil, fmt.Errorf("%s of the registry's Secret has no certificate in PEM", CertificatesKey)
	}
	private := boundedTransport.Clone()
	private.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return private, nil
}

// sessions keeps a registry's session until something fails.
type sessions struct {
	mutex   sync.Mutex
	current *session
	// attempt is the one under way, or nil.
	attempt *attempt
	// failure is why the last attempt gave none. Until the next one, and while
	// that lasts, it is the answer to all but the one who began it.
	failure error
	next    time.Time
}

// attempt to begin a session. Its result may be read once it has ended.
type attempt struct {
	ended   chan struct{}
	session *session
	err     error
}

// errSilent is the answer while a registry is asked and says nothing.
var errSilent = errors.New("it has not answered yet")

// get returns the current session, or else the one that begin gives. Nobody
// waits for long: a registry that hangs would otherwise hold all workers.
func (s *sessions) get(begin func() (*session, error)) (*session, error) {
	current, attempt, failure := s.load(begin)
	if current != nil || failure != nil {
		return current, failure
	}
	select {
	case <-attempt.ended:
		return attempt.session, attempt.err
	case <-time.After(courtesy):
		return nil, s.silent(attempt)
	}
}

// load returns the session, the attempt to wait for, or why there is neither.
func (s *sessions) load(begin func() (*session, error)) (*session, *attempt, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.current != nil:
		return s.current, nil, nil
	case s.failure != nil && (s.attempt != nil || time.Now().Before(s.next)):
		return nil, nil, s.failure
	case s.attempt == nil:
		s.attempt = &attempt{ended: make(chan struct{})}
		go s.try(s.attempt, begin)
	}
	return nil, s.attempt, nil
}

func (s *sessions) try(attempt *attempt, begin func() (*session, error)) {
	attempt.session, attempt.err = begin()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.current, s.failure, s.attempt = attempt.session, attempt.err, nil
	s.next = time.Now().Add(pause)
	close(attempt.ended)
}

// silent has nobody else wait for the attempt, and returns what to answer meanwhile.
func (s *sessions) silent(attempt *attempt) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.attempt == attempt && s.failure == nil {
		s.failure = errSilent
	}
	if s.failure != nil {
		return s.failure
	}
	return errSilent
}

// forget has the registry asked anew.
func (s *sessions) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.current = nil
}

// session returns the current session of the registry.
//
// The library asks a registry how it wants to be talked to (with or without
// TLS, by which authentication) for each repository, for each push and for each
// mount, and tries TLS first. A registry that takes one password for all its
// repositories, as the module's own does, is asked once. One that gives tokens
// gives them for a repository, so there the library goes on asking.
func (r *Registry) session(ctx context.Context) (*session, error) {
	session, err := r.sessions.get(func() (*session, error) {
		// It goes on when the caller has ended, for those who come after.
		options, err := r.negotiate(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		puller, err := remote.NewPuller(options...)
		if err != nil {
			return nil, fmt.Errorf("set up client: %w", err)
		}
		return &session{options: options, puller: puller}, nil
	})
	if err != nil {
		return nil, &UnavailableError{Registry: r.location.Push, Err: err}
	}
	return session, nil
}

func (r *Registry) negotiate(ctx context.Context) ([]remote.Option, error) {
	// The callers decide when to try again, and tell the user meanwhile.
	options := []remote.Option{remote.WithAuth(r.auth), remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithTransport(r.transport)}
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	challenge, err := transport.Ping(ctx, r.host, r.transport)
	if err == nil && !strings.EqualFold(challenge.Scheme, "bearer") {
		var authenticated http.RoundTripper
		authenticated, err = transport.NewWithContext(ctx, r.host, r.auth, r.transport, nil)
		options = append(options, remote.WithTransport(authenticated))
	}
	if err != nil {
		// Who answered wrongly may not be the registry: a Service's address leads
		// elsewhere until the node knows it. A connection that is kept would go
		// there for as long as it is tried again.
		r.transport.CloseIdleConnections()
	}
	return options, err
}

// writing are the options of a push.
func (s *session) writing(ctx context.Context) []remote.Option {
	return append(slices.Clone(s.options), remote.WithContext(ctx))
}
