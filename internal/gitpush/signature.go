package gitpush

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// signatureHeaders hold the HMAC-SHA256 of the body in hexadecimal, with or
// without "sha256=" before it: GitHub's, which Gitea and Forgejo have, too;
// Bitbucket's; Gitea's of before.
var signatureHeaders = []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature"}

// tokenHeader holds GitLab's secret itself.
const tokenHeader = "X-Gitlab-Token"

// isAuthentic tells whether the sender of the body knows the secret. It takes
// equally long whatever is wrong.
func isAuthentic(header http.Header, body, secret []byte) bool {
	if len(secret) == 0 {
		return false
	}
	if token := header.Get(tokenHeader); token != "" {
		return hmac.Equal(digest([]byte(token)), digest(secret))
	}
	for _, name := range signatureHeaders {
		text := header.Get(name)
		if text == "" {
			continue
		}
		given, err := hex.DecodeString(strings.TrimPrefix(text, "sha256="))
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		return err == nil && hmac.Equal(given, mac.Sum(nil))
	}
	return false
}

func digest(text []byte) []byte {
	sum := sha256.Sum256(text)
	return sum[:]
}
