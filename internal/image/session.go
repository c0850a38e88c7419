package image

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/singleflight"
)

// session is how a registry is talked to after it has said how it wants to be.
type session struct {
	options []remote.Option
	puller  *remote.Puller
}

// sessions keeps a registry's session until something fails.
type sessions struct {
	attempts singleflight.Group
	mutex    sync.Mutex
	current  *session
}

// get returns the current session, or else the one that begin gives to all who
// wait for it.
func (s *sessions) get(begin func() (*session, error)) (*session, error) {
	if current := s.load(); current != nil {
		return current, nil
	}
	begun, err, _ := s.attempts.Do("", func() (any, error) {
		begun, err := begin()
		if err == nil {
			s.store(begun)
		}
		return begun, err
	})
	if err != nil {
		return nil, err
	}
	return begun.(*session), nil
}

func (s *sessions) load() *session {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.current
}

func (s *sessions) store(session *session) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.current = session
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
	options := []remote.Option{remote.WithAuth(r.auth), remote.WithRetryBackoff(remote.Backoff{Steps: 1})}
	challenge, err := transport.Ping(ctx, r.host, remote.DefaultTransport)
	if err != nil || strings.EqualFold(challenge.Scheme, "bearer") {
		return options, err
	}
	authenticated, err := transport.NewWithContext(ctx, r.host, r.auth, remote.DefaultTransport, nil)
	return append(options, remote.WithTransport(authenticated)), err
}

// writing are the options of a push.
func (s *session) writing(ctx context.Context) []remote.Option {
	return append(slices.Clone(s.options), remote.WithContext(ctx))
}
