package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/singleflight"
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
	// pause is the time between two looks for a registry that failed.
	pause = 2 * time.Second
)

var boundedTransport = func() http.RoundTripper {
	bounded := remote.DefaultTransport.(*http.Transport).Clone()
	bounded.ResponseHeaderTimeout = patience
	return bounded
}()

// sessions keeps a registry's session until something fails.
type sessions struct {
	attempts singleflight.Group
	mutex    sync.Mutex
	current  *session
	// failure is why the last attempt gave none. Until the next one, and while
	// that lasts, it is the answer to all but the one who tries.
	failure error
	next    time.Time
	trying  bool
}

// get returns the current session, or else the one that begin gives to all who
// wait for it. Nobody waits for a registry that failed before but the one who
// tries again: one that hangs would otherwise hold all workers.
func (s *sessions) get(begin func() (*session, error)) (*session, error) {
	current, failure := s.load()
	if current != nil || failure != nil {
		return current, failure
	}
	begun, err, _ := s.attempts.Do("", func() (any, error) {
		begun, err := begin()
		s.ended(begun, err)
		return begun, err
	})
	if err != nil {
		return nil, err
	}
	return begun.(*session), nil
}

func (s *sessions) load() (*session, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.current != nil || s.failure == nil {
		return s.current, nil
	}
	if s.trying || time.Now().Before(s.next) {
		return nil, s.failure
	}
	s.trying = true
	return nil, nil
}

func (s *sessions) ended(begun *session, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.current, s.failure, s.trying = begun, err, false
	if errors.Is(err, context.Canceled) {
		// That was the caller's end, not the registry's.
		s.failure = nil
	}
	s.next = time.Now().Add(pause)
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
	return r.sessions.get(func() (*session, error) {
		options, err := r.negotiate(ctx)
		if err != nil {
			return nil, &UnavailableError{Registry: r.location.Push, Err: err}
		}
		puller, err := remote.NewPuller(options...)
		if err != nil {
			return nil, fmt.Errorf("set up registry %s: %w", r.location.Push, err)
		}
		return &session{options: options, puller: puller}, nil
	})
}

func (r *Registry) negotiate(ctx context.Context) ([]remote.Option, error) {
	// The callers decide when to try again, and tell the user meanwhile.
	options := []remote.Option{remote.WithAuth(r.auth), remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithTransport(boundedTransport)}
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	challenge, err := transport.Ping(ctx, r.host, boundedTransport)
	if err != nil || strings.EqualFold(challenge.Scheme, "bearer") {
		return options, err
	}
	authenticated, err := transport.NewWithContext(ctx, r.host, r.auth, boundedTransport, nil)
	return append(options, remote.WithTransport(authenticated)), err
}

// writing are the options of a push.
func (s *session) writing(ctx context.Context) []remote.Option {
	return append(slices.Clone(s.options), remote.WithContext(ctx))
}
