// Package gitpush receives what Git hosts' webhooks tell of pushes, so that a
// new commit is looked for at once.
package gitpush

import (
	"encoding/json"
	"fmt"
)

// link is an address of Bitbucket's.
type link struct {
	Href string `json:"href"`
}

// payload has the places where Git hosts name a repository's addresses; all
// else of a push is not of interest.
type payload struct {
	// GitHub, Gitea and Forgejo; Bitbucket has links.
	Repository struct {
		CloneURL string `json:"clone_url"`
		SSHURL   string `json:"ssh_url"`
		HTMLURL  string `json:"html_url"`
		Links    struct {
			HTML  link   `json:"html"`
			Clone []link `json:"clone"`
		} `json:"links"`
	} `json:"repository"`
	// GitLab.
	Project struct {
		HTTPURL string `json:"git_http_url"`
		SSHURL  string `json:"git_ssh_url"`
	} `json:"project"`
}

// addresses are those of the repository that was pushed to. What a host calls
// its event is of no matter: to look once more costs one question.
func addresses(body []byte) ([]string, error) {
	var told payload
	if err := json.Unmarshal(body, &told); err != nil {
		return nil, fmt.Errorf("parse the body as JSON: %w", err)
	}
	repository := told.Repository
	candidates := []string{repository.CloneURL, repository.SSHURL, repository.HTMLURL, repository.Links.HTML.Href, told.Project.HTTPURL, told.Project.SSHURL}
	for _, clone := range repository.Links.Clone {
		candidates = append(candidates, clone.Href)
	}
	var found []string
	for _, candidate := range candidates {
		if candidate != "" {
			found = append(found, candidate)
		}
	}
	return found, nil
}
