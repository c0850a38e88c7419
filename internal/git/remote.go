// Package git finds out what the references of Git repositories name, and
// fetches the files of a commit.
package git

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Remote is a repository on a server, and how to get at it. Equal Remotes are
// asked once, for whoever uses them.
type Remote struct {
	// URL as the user wrote it; it may hold a password. Show Address instead.
	URL        string
	Credential Credential
	// HostKey is the SSH host key that the server had before, as ssh-type and
	// fingerprint; any other is refused. It counts only without known hosts.
	HostKey string
}

// Address is the URL without credentials, fit to be shown.
func (r Remote) Address() string { return Address(r.URL) }

// String keeps credentials out of whatever prints a Remote.
func (r Remote) String() string { return r.Address() }

// Address is a repository's URL without the password in it, if there is one.
func Address(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.User == nil {
		return text // Without a scheme there is no password: git@host:path.
	}
	if parsed.Scheme == "ssh" {
		parsed.User = url.User(parsed.User.Username()) // A login name, such as git.
	} else {
		parsed.User = nil
	}
	return parsed.String()
}

// place is where a repository is, whichever way it is reached: over SSH and
// HTTP, by name and password or not, it is the same one. "" is none.
func place(text string) string {
	endpoint, err := transport.NewEndpoint(text)
	if err != nil || endpoint.Host == "" {
		return ""
	}
	path := strings.TrimSuffix(strings.Trim(endpoint.Path, "/"), ".git")
	return strings.ToLower(endpoint.Host + "/" + path)
}

// schemes are those that a Function's repository may be reached by: nothing
// that reads this machine's files or runs a program.
var schemes = []string{"https", "http", "ssh"}

func (r Remote) endpoint() (*transport.Endpoint, error) {
	endpoint, err := transport.NewEndpoint(r.URL)
	if err != nil {
		return nil, fmt.Errorf("parse the URL of the repository: it is none; use https://, http://, ssh:// or git@host:path")
	}
	// host:path without a user would be SSH, too, and takes in far too much.
	isAddress := strings.Contains(r.URL, "@") || strings.Contains(r.URL, "://")
	if !slices.Contains(schemes, endpoint.Protocol) || endpoint.Host == "" || !isAddress {
		return nil, fmt.Errorf("%s can't be fetched: use https://, http://, ssh:// or git@host:path", r.Address())
	}
	return endpoint, nil
}

var commitID = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

// FixedCommit returns the commit that a reference is itself, or "" if it
// names a branch or a tag.
func FixedCommit(reference string) string {
	if commitID.MatchString(reference) {
		return strings.ToLower(reference)
	}
	return ""
}
