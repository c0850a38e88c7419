package build

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// shortestSecret is what is looked for in an installer's words: anything shorter
// is in too many words by chance.
const shortestSecret = 4

var (
	// npmSecret matches the settings of an .npmrc that log in.
	npmSecret = regexp.MustCompile(`(?m)^\s*(?:\S*:)?(_authToken|_auth|_password|password|cert|key)\s*=\s*"?([^"\r\n]+?)"?\s*$`)
	// urlSecret matches the password in an address, or the user where that is a token.
	urlSecret = regexp.MustCompile(`://([^\s/@:]+)(?::([^\s/@]+))?@`)
)

// secretsOf are the secrets in the configuration of package registries. No
// message may show them, whatever an install script prints.
func secretsOf(config map[string][]byte) []string {
	var found []string
	for _, content := range config {
		text := string(content)
		for _, match := range npmSecret.FindAllStringSubmatch(text, -1) {
			found = append(found, match[2])
			// These two are given in base64: _auth of user:password.
			if decoded, err := base64.StdEncoding.DecodeString(match[2]); err == nil && (match[1] == "_auth" || match[1] == "_password") {
				_, password, both := strings.Cut(string(decoded), ":")
				found = append(found, string(decoded))
				if both {
					found = append(found, password)
				}
			}
		}
		for _, match := range urlSecret.FindAllStringSubmatch(text, -1) {
			secret := match[2]
			if secret == "" {
				secret = match[1]
			}
			found = append(found, secret)
			if plain, err := url.PathUnescape(secret); err == nil {
				found = append(found, plain)
			}
		}
	}
	// ${NAME} is a reference, and the longest first: one may be in another.
	found = slices.DeleteFunc(found, func(secret string) bool { return len(secret) < shortestSecret || strings.HasPrefix(secret, "${") })
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(found)
}

func hide(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}
