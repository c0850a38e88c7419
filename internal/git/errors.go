package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh"
)

// AuthorizationError says that the server refused the credentials, or wants some.
type AuthorizationError struct{ Address string }

func (e *AuthorizationError) Error() string {
	return fmt.Sprintf("the Git server refused the credentials for %s; correct the Secret of spec.source.gitRepository.auth", e.Address)
}

// NotFoundError says that there is no such repository or reference.
type NotFoundError struct{ What string }

func (e *NotFoundError) Error() string { return e.What + " was not found" }

// LimitError says that a repository is larger than a Function's source may be.
type LimitError struct{ Message string }

func (e *LimitError) Error() string { return e.Message }

// maxReason bounds what is quoted of a server's words.
const maxReason = 300

// explain gives a failed exchange with the remote its type, and a text that
// names no credential.
func explain(remote Remote, err error) error {
	var limit *LimitError
	var hostKey *hostKeyError
	var auth *AuthorizationError
	var answer *githttp.Err
	var unexpected *plumbing.UnexpectedError
	if errors.As(err, &unexpected) {
		err = unexpected.Err // It doesn't unwrap itself.
	}
	switch {
	case errors.As(err, &limit):
		return limit
	case errors.As(err, &hostKey):
		return hostKey
	case errors.As(err, &auth), errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed),
		isSSHAuthError(err):
		return &AuthorizationError{Address: remote.Address()}
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return &NotFoundError{What: "repository " + remote.Address()}
	case errors.As(err, &answer):
		// Not with the body: the server could be any that the controller reaches.
		return fmt.Errorf("%s answered with HTTP status %d", remote.Address(), answer.StatusCode())
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return fmt.Errorf("%s did not answer in time", remote.Address())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s broke off the connection", remote.Address())
	}
	return fmt.Errorf("%s: %s", remote.Address(), reason(remote, err))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isSSHAuthError tells whether the SSH server accepted none of our keys. The
// library has no type for it.
func isSSHAuthError(err error) bool {
	var banner *ssh.BannerError
	return errors.As(err, &banner) || strings.Contains(err.Error(), "ssh: unable to authenticate")
}

// reason is an error's text without secrets, and of a bounded length.
func reason(remote Remote, err error) string {
	// The innermost cause: what is around it repeats the URL.
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var network *net.OpError
	if errors.As(err, &network) {
		// Without our own end of the connection, which is another one at each try.
		err = network.Err
	}
	text := strings.ToValidUTF8(err.Error(), "")
	secrets := remote.Credential.secrets()
	if parsed, err := url.Parse(remote.URL); err == nil && parsed.User != nil {
		password, _ := parsed.User.Password()
		secrets = append(secrets, password, parsed.User.String())
		text = strings.ReplaceAll(text, remote.URL, remote.Address())
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}
