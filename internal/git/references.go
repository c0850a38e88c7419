package git

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// listBounds are enough for the references of the largest repositories.
var listBounds = bounds{time: 30 * time.Second, bytes: 64 << 20}

// References are what a repository's branches and tags name.
type References struct {
	// HostKey is the SSH host key that the server showed, if it was asked over SSH.
	HostKey string

	address string
	// commits by full reference name, with "^{}" at its end where an annotated tag is peeled.
	commits map[string]string
}

// List asks the remote what its references name. The error is an
// AuthorizationError, a NotFoundError or one that may pass.
func List(ctx context.Context, remote Remote) (References, error) {
	ctx, cancel := listBounds.withTimeout(ctx)
	defer cancel()
	session, keys, err := remote.open(listBounds)
	if err != nil {
		return References{}, explain(remote, err)
	}
	defer session.Close()
	advertised, err := session.AdvertisedReferencesContext(ctx)
	found := References{HostKey: keys.seen, address: remote.Address(), commits: map[string]string{}}
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return found, nil
	}
	if err != nil {
		return References{}, explain(remote, err)
	}
	found.add(advertised)
	return found, nil
}

const peeled = "^{}"

func (r References) add(advertised *packp.AdvRefs) {
	for name, hash := range advertised.References {
		r.commits[name] = hash.String()
	}
	for name, hash := range advertised.Peeled {
		r.commits[name+peeled] = hash.String()
	}
}

// Commit is what the branch of the name is at, or else the tag.
func (r References) Commit(name string) (string, error) {
	candidates := []string{"refs/heads/" + name, "refs/tags/" + name + peeled, "refs/tags/" + name}
	if strings.HasPrefix(name, "refs/") {
		candidates = append(candidates, name+peeled, name)
	}
	for _, candidate := range candidates {
		if commit, found := r.commits[candidate]; found {
			return commit, nil
		}
	}
	return "", &NotFoundError{What: "branch or tag " + name + " of repository " + r.address}
}
