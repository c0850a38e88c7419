package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/distribution/distribution/v3/registry/auth"

	"kyma-project.io/serverless/internal/access"
)

// accessControllerName is what the distribution project's configuration calls
// our access controller; its constructor finds it in the options under the
// same name.
const accessControllerName = "serverless"

func init() {
	err := auth.Register(accessControllerName, func(options map[string]any) (auth.AccessController, error) {
		controller, ok := options[accessControllerName].(*accessController)
		if !ok {
			return nil, errors.New("the configuration has no access controller")
		}
		return controller, nil
	})
	if err != nil {
		panic(err)
	}
}

// accessController decides on every request below /v2/: who it is from, and
// whether it may do what it wants to each repository it names.
type accessController struct {
	credentials *Credentials
	// tokens knows the builds; nil if there are none.
	tokens *Tokens
	logger *slog.Logger
}

var _ auth.AccessController = (*accessController)(nil)

// Authorized implements auth.AccessController.
func (a *accessController) Authorized(req *http.Request, wanted ...auth.Access) (*auth.Grant, error) {
	username, password, ok := req.BasicAuth()
	if !ok {
		return nil, challenge{auth.ErrInvalidCredential}
	}
	who, err := a.identify(req.Context(), access.Credentials{Username: username, Password: password})
	if err != nil {
		a.logger.ErrorContext(req.Context(), "token not reviewed", "error", err, "client", req.RemoteAddr)
		return nil, challenge{auth.ErrAuthenticationFailure}
	}
	if !who.Known() {
		a.logger.WarnContext(req.Context(), "credentials refused", "user", username, "client", req.RemoteAddr)
		return nil, challenge{auth.ErrAuthenticationFailure}
	}

	grant := &auth.Grant{User: auth.UserInfo{Name: who.String()}}
	for _, one := range wanted {
		if !may(who, one) {
			a.logger.WarnContext(req.Context(), "access refused", "user", who.String(), "action", one.Action, "repository", one.Name)
			return nil, challenge{fmt.Errorf("%s may not %s %s", who, one.Action, one.Name)}
		}
		grant.Resources = append(grant.Resources, one.Resource)
	}
	return grant, nil
}

func (a *accessController) identify(ctx context.Context, given access.Credentials) (access.Identity, error) {
	if given.Username == access.TokenUser && a.tokens != nil {
		return a.tokens.Identify(ctx, given.Password)
	}
	return access.Identify(given, a.credentials.Current()), nil
}

// may tells whether who may do what is wanted; the catalog of all repositories
// is the module's.
func may(who access.Identity, wanted auth.Access) bool {
	if wanted.Type != "repository" {
		return who.IsModule()
	}
	return who.May(access.Action(wanted.Action), wanted.Name)
}

// challenge is the error that becomes a 401 which asks for basic auth.
type challenge struct{ cause error }

var _ auth.Challenge = challenge{}

// The realm is what the module's registry has always called itself.
const realm = "Registry Realm"

// SetHeaders implements auth.Challenge.
func (c challenge) SetHeaders(_ *http.Request, w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", realm))
}

func (c challenge) Error() string { return fmt.Sprintf("authenticate for %q: %v", realm, c.cause) }

func (c challenge) Unwrap() error { return c.cause }
