package gitpush

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const secret = "a-secret-of-the-shop"

// bodies as the hosts send them, without what is not of interest.
const (
	github    = `{"ref": "refs/heads/main", "repository": {"full_name": "shop/orders", "clone_url": "https://github.com/shop/orders.git", "ssh_url": "git@github.com:shop/orders.git", "html_url": "https://github.com/shop/orders"}}`
	gitlab    = `{"object_kind": "push", "project": {"git_http_url": "https://gitlab.com/shop/orders.git", "git_ssh_url": "git@gitlab.com:shop/orders.git"}, "repository": {"name": "orders"}}`
	bitbucket = `{"push": {}, "repository": {"links": {"html": {"href": "https://bitbucket.org/shop/orders"}}}}`
	onPremise = `{"repository": {"links": {"clone": [{"href": "ssh://git@bitbucket.local:7999/shop/orders.git", "name": "ssh"}, {"href": "https://bitbucket.local/scm/shop/orders.git", "name": "http"}]}}}`
)

func signed(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

type heard struct {
	namespace string
	addresses []string
}

// receiver has a secret in the namespaces shop and short.
func receiver(t *testing.T) (http.Handler, *[]heard) {
	t.Helper()
	var all []heard
	return NewHandler(func(_ context.Context, namespace string) ([]byte, error) {
		switch namespace {
		case "shop":
			return []byte(secret), nil
		case "short":
			return []byte("short"), nil
		case "broken":
			return nil, errors.New("the API server is down, and this is its address")
		}
		return nil, nil
	}, func(namespace string, addresses []string) { all = append(all, heard{namespace, addresses}) }), &all
}

func post(handler http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

func TestPushesOfTheHostsAreHeard(t *testing.T) {
	for name, test := range map[string]struct {
		body, header, value string
		want                []string
	}{
		"GitHub": {github, "X-Hub-Signature-256", "sha256=" + signed(github),
			[]string{"https://github.com/shop/orders.git", "git@github.com:shop/orders.git", "https://github.com/shop/orders"}},
		"Gitea": {github, "X-Gitea-Signature", signed(github),
			[]string{"https://github.com/shop/orders.git", "git@github.com:shop/orders.git", "https://github.com/shop/orders"}},
		"GitLab":                {gitlab, "X-Gitlab-Token", secret, []string{"https://gitlab.com/shop/orders.git", "git@gitlab.com:shop/orders.git"}},
		"Bitbucket":             {bitbucket, "X-Hub-Signature", "sha256=" + signed(bitbucket), []string{"https://bitbucket.org/shop/orders"}},
		"Bitbucket Data Center": {onPremise, "X-Hub-Signature", "sha256=" + signed(onPremise), []string{"ssh://git@bitbucket.local:7999/shop/orders.git", "https://bitbucket.local/scm/shop/orders.git"}},
		"a ping":                {`{"zen": "."}`, "X-Hub-Signature-256", "sha256=" + signed(`{"zen": "."}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			handler, all := receiver(t)
			if response := post(handler, "/git-push/shop", test.body, test.header, test.value); response.Code != http.StatusAccepted {
				t.Fatalf("%d %s", response.Code, response.Body)
			}
			if len(*all) != 1 || (*all)[0].namespace != "shop" || !slices.Equal((*all)[0].addresses, test.want) {
				t.Errorf("heard %v", *all)
			}
		})
	}
}

// Whatever is wrong, the answer is the same: it tells nothing of namespaces, Secrets and repositories.
func TestStrangersAreRefusedAlike(t *testing.T) {
	good := "sha256=" + signed(github)
	var first string
	for name, test := range map[string]struct {
		path    string
		body    string
		headers []string
	}{
		"no signature":                   {"/git-push/shop", github, nil},
		"another body":                   {"/git-push/shop", gitlab, []string{"X-Hub-Signature-256", good}},
		"no hexadecimal":                 {"/git-push/shop", github, []string{"X-Hub-Signature-256", "sha256=x"}},
		"a part of it":                   {"/git-push/shop", github, []string{"X-Hub-Signature-256", good[:30]}},
		"SHA-1":                          {"/git-push/shop", github, []string{"X-Hub-Signature", "sha1=0123"}},
		"another token":                  {"/git-push/shop", gitlab, []string{"X-Gitlab-Token", "other"}},
		"a token, with a good signature": {"/git-push/shop", github, []string{"X-Gitlab-Token", "other", "X-Hub-Signature-256", good}},
		"another namespace":              {"/git-push/market", github, []string{"X-Hub-Signature-256", good}},
		"no namespace at all":            {"/git-push/..%2fshop", github, []string{"X-Hub-Signature-256", good}},
		"a secret that's too short":      {"/git-push/short", gitlab, []string{"X-Gitlab-Token", "short"}},
		"what is no JSON, unsigned":      {"/git-push/shop", "{", nil},
	} {
		t.Run(name, func(t *testing.T) {
			handler, all := receiver(t)
			response := post(handler, test.path, test.body, test.headers...)
			if response.Code != http.StatusUnauthorized || len(*all) > 0 {
				t.Errorf("%d %s, heard %v", response.Code, response.Body, *all)
			}
			if first == "" {
				first = response.Body.String()
			}
			if response.Body.String() != first {
				t.Errorf("got %q, others got %q", response.Body, first)
			}
		})
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	large := strings.Repeat(" ", maxBody+1)
	for name, test := range map[string]struct {
		path, body, signature string
		want                  int
	}{
		"too large":                {"/git-push/shop", large, signed(large), http.StatusRequestEntityTooLarge},
		"no JSON":                  {"/git-push/shop", "payload=%7B%7D", signed("payload=%7B%7D"), http.StatusBadRequest},
		"another path":             {"/git-push", github, signed(github), http.StatusNotFound},
		"the API server is silent": {"/git-push/broken", github, signed(github), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			handler, all := receiver(t)
			response := post(handler, test.path, test.body, "X-Hub-Signature-256", "sha256="+test.signature)
			if response.Code != test.want || len(*all) > 0 || strings.Contains(response.Body.String(), "address") {
				t.Errorf("%d %s, heard %v", response.Code, response.Body, *all)
			}
		})
	}
	handler, _ := receiver(t)
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/git-push/shop", nil))
	if response.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.Code)
	}
}

func TestAFloodIsRefused(t *testing.T) {
	asked := 0
	handler := NewHandler(func(context.Context, string) ([]byte, error) { asked++; return nil, nil }, nil)
	refused := 0
	for range 10 * burst {
		if post(handler, "/git-push/shop", github).Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if asked > 2*burst || refused < 7*burst {
		t.Errorf("the API server was asked %d times, %d requests were refused", asked, refused)
	}
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{github, gitlab, bitbucket, onPremise, `[]`, `{"repository": "x"}`, `{"repository": {"links": null}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := addresses(body)
		if slices.Contains(found, "") || err != nil && found != nil {
			t.Errorf("%q, %v", found, err)
		}
	})
}
