package validation

import (
	"fmt"
	"net/url"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// withoutFIPS are the runtimes that Kyma has no FIPS mode for, and what to use
// in their place (contract/kyma.md 4).
var withoutFIPS = map[v1alpha2.Runtime]v1alpha2.Runtime{"nodejs20": "nodejs22", "python312": "python313"}

// FIPS returns a message for each part of the Function that can't be had in
// FIPS mode.
func FIPS(fn *v1alpha2.Function) []string {
	var errs []string
	if replacement, found := withoutFIPS[fn.Spec.Runtime]; found {
		errs = append(errs, fmt.Sprintf("spec.runtime: %s is not available in FIPS mode; set spec.runtime to %s", fn.Spec.Runtime, replacement))
	}
	if repository := fn.Spec.Source.GitRepository; repository != nil && isSSH(repository) {
		errs = append(errs, "source.gitRepository: Git over SSH is not available in FIPS mode; use an https:// URL, with auth of type basic if any")
	}
	return errs
}

func isSSH(repository *v1alpha2.GitRepositorySource) bool {
	if repository.Auth != nil && repository.Auth.Type == v1alpha2.RepositoryAuthSSHKey {
		return true
	}
	parsed, err := url.Parse(repository.URL)
	if err != nil || parsed.Scheme == "" {
		return sshURL.MatchString(repository.URL) // git@host:path
	}
	return parsed.Scheme == "ssh"
}
