package validation_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/validation"
)

func TestFIPSModeRefusesWhatIsNotAvailableInIt(t *testing.T) {
	git := func(url string, auth v1alpha2.RepositoryAuthType) *v1alpha2.GitRepositorySource {
		repository := &v1alpha2.GitRepositorySource{URL: url}
		if auth != "" {
			repository.Auth = &v1alpha2.RepositoryAuth{Type: auth, SecretName: "git"}
		}
		return repository
	}
	const ssh = "Git over SSH is not available in FIPS mode; use an https:// URL"
	for name, test := range map[string]struct {
		runtime    v1alpha2.Runtime
		repository *v1alpha2.GitRepositorySource
		want       []string
	}{
		"inline":             {"nodejs22", nil, nil},
		"another runtime":    {"python313", nil, nil},
		"nodejs20":           {"nodejs20", nil, []string{"nodejs20 is not available in FIPS mode; set spec.runtime to nodejs22"}},
		"python312":          {"python312", nil, []string{"python312 is not available in FIPS mode; set spec.runtime to python313"}},
		"https":              {"nodejs22", git("https://git.test/a.git", ""), nil},
		"https with a token": {"nodejs22", git("https://user:token@git.test/a.git", v1alpha2.RepositoryAuthBasic), nil},
		"ssh":                {"nodejs22", git("ssh://git@git.test/a.git", v1alpha2.RepositoryAuthSSHKey), []string{ssh}},
		"ssh in short":       {"nodejs22", git("git@git.test:a/b.git", v1alpha2.RepositoryAuthSSHKey), []string{ssh}},
		"ssh without a key":  {"nodejs22", git("git@git.test:a/b.git", ""), []string{ssh}},
		"a key for https":    {"nodejs22", git("https://git.test/a.git", v1alpha2.RepositoryAuthSSHKey), []string{ssh}},
		"both":               {"nodejs20", git("git@git.test:a/b.git", v1alpha2.RepositoryAuthSSHKey), []string{"nodejs20", ssh}},
	} {
		t.Run(name, func(t *testing.T) {
			fn := &v1alpha2.Function{Spec: v1alpha2.FunctionSpec{Runtime: test.runtime}}
			fn.Spec.Source.GitRepository = test.repository
			got := validation.FIPS(fn)
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for i := range got {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("got %q, want %q", got[i], test.want[i])
				}
			}
		})
	}
}
