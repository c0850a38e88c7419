package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/distribution/distribution/v3/registry/auth"
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
// whether it may do what it wants to each repository it names. Today there is
// one user, who may do all.
type accessController struct {
	credentials *Credentials
	logger      *slog.Logger
}

var _ auth.AccessController = (*accessController)(nil)

// Authorized implements auth.AccessController.
func (a *accessController) Authorized(req *http.Request, access ...auth.Access) (*auth.Grant, error) {
	username, password, ok := req.BasicAuth()
	if !ok {
		return nil, challenge{auth.ErrInvalidCredential}
	}
	if !a.credentials.Match(username, password) {
		a.logger.WarnContext(req.Context(), "credentials refused", "user", username, "client", req.RemoteAddr)
		return nil, challenge{auth.ErrAuthenticationFailure}
	}

	grant := &auth.Grant{User: auth.UserInfo{Name: username}}
	for _, wanted := range access {
		grant.Resources = append(grant.Resources, wanted.Resource)
	}
	return grant, nil
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
