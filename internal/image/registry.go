package image

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Registry is a client of the registry at a Location. It keeps its
// connections and is safe for concurrent use.
type Registry struct {
	location Location
	host     name.Registry
	auth     authn.Authenticator
	// transport trusts the location's certificates.
	transport *http.Transport
	sessions  sessions
}

// NewRegistry returns a client of the registry at the location.
func NewRegistry(location Location) (*Registry, error) {
	auth := authn.Anonymous
	if location.Username != "" {
		auth = &authn.Basic{Username: location.Username, Password: location.Password}
	}
	trusting, err := trusting(location.Certificates)
	if err != nil {
		return nil, fmt.Errorf("connect to registry %s: %w", location.Push, err)
	}
	registry := &Registry{location: location, auth: auth, transport: trusting}
	reference, err := registry.tag(runtimesRepository, "any")
	if err != nil {
		return nil, err
	}
	registry.host = reference.Registry
	return registry, nil
}

// Registries are the clients by location, each made once.
type Registries struct {
	clients sync.Map // Location → *Registry
}

// At returns the client of the registry at the location.
func (r *Registries) At(location Location) (*Registry, error) {
	if registry, found := r.clients.Load(location); found {
		return registry.(*Registry), nil
	}
	registry, err := NewRegistry(location)
	if err != nil {
		return nil, err
	}
	first, _ := r.clients.LoadOrStore(location, registry)
	return first.(*Registry), nil
}

// UnavailableError says that a registry didn't answer as it should. Trying
// again later may help.
type UnavailableError struct {
	Registry string
	Err      error
}

func (e *UnavailableError) Error() string {
	if answer, is := errors.AsType[*transport.Error](e.Err); is && answer.StatusCode == http.StatusInsufficientStorage && len(answer.Errors) > 0 {
		return fmt.Sprintf("registry %s is full: %s; tell the administrator of the cluster; it will be tried again", e.Registry, answer.Errors[0].Message)
	}
	reason := ownEnd.ReplaceAllString(e.Err.Error(), "")
	if _, is := errors.AsType[x509.UnknownAuthorityError](e.Err); is {
		reason += "; if it is a private authority, add it as " + CertificatesKey + " to the registry's Secret"
	}
	return fmt.Sprintf("registry %s is not available: %s; it will be tried again", e.Registry, reason)
}

// ownEnd matches our own end of a connection, which is another one at each
// try: with it, a condition would change all the time and say nothing more.
var ownEnd = regexp.MustCompile(`[^\s:]+:\d+->`)

func (e *UnavailableError) Unwrap() error { return e.Err }

// Certificates are those that the registry's own may be signed by, besides the
// usual ones; "" if there are none.
func (r *Registry) Certificates() string { return r.location.Certificates }

// PullAddress is where nodes pull from.
func (r *Registry) PullAddress() string { return r.location.Pull }

// PullReference is how a node names the image of the digest.
func (r *Registry) PullReference(repository, digest string) string {
	return r.location.Pull + "/" + repository + "@" + digest
}

// PushReference is how a Pod of the cluster names the image of the tag.
func (r *Registry) PushReference(repository, tag string) string {
	return r.location.Push + "/" + repository + ":" + tag
}

// PlainHTTP tells whether the registry may be talked to without TLS.
func (r *Registry) PlainHTTP() bool { return r.location.PlainHTTP }

// Internal tells whether it is the module's own.
func (r *Registry) Internal() bool { return r.location.Internal }

// Find returns the digest of the tagged image, or "" if there is none.
func (r *Registry) Find(ctx context.Context, repository, tag string) (string, error) {
	reference, err := r.tag(repository, tag)
	if err != nil {
		return "", err
	}
	session, err := r.session(ctx)
	if err != nil {
		return "", err
	}
	descriptor, err := session.puller.Head(ctx, reference)
	if isNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", r.unavailable(err)
	}
	return descriptor.Digest.String(), nil
}

func (r *Registry) image(ctx context.Context, repository, tag string) (v1.Image, error) {
	reference, err := r.tag(repository, tag)
	if err != nil {
		return nil, err
	}
	session, err := r.session(ctx)
	if err != nil {
		return nil, err
	}
	descriptor, err := session.puller.Get(ctx, reference)
	if err != nil {
		return nil, r.unavailable(err)
	}
	image, err := descriptor.Image()
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", reference, err)
	}
	return image, nil
}

func (r *Registry) push(ctx context.Context, repository, tag string, image v1.Image) error {
	reference, err := r.tag(repository, tag)
	if err != nil {
		return err
	}
	session, err := r.session(ctx)
	if err != nil {
		return err
	}
	// Not with a remote.Pusher that is kept: it remembers each blob that it has
	// sent, and would never send it again to a registry that lost it.
	if err := remote.Push(reference, image, session.writing(ctx)...); err != nil {
		return r.unavailable(err)
	}
	return nil
}

func (r *Registry) tag(repository, tag string) (name.Tag, error) {
	return parseTag(r.PushReference(repository, tag), r.location.PlainHTTP)
}

func parseTag(text string, plainHTTP bool) (name.Tag, error) {
	var options []name.Option
	if plainHTTP {
		options = append(options, name.Insecure)
	}
	reference, err := name.NewTag(text, options...)
	if err != nil {
		return name.Tag{}, fmt.Errorf("parse image reference %q: %w", text, err)
	}
	return reference, nil
}

func (r *Registry) unavailable(err error) error {
	// It may want to be talked to in another way from now on.
	r.sessions.forget()
	return &UnavailableError{Registry: r.location.Push, Err: err}
}

func isNotFound(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
