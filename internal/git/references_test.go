package git_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
)

func TestReferencesNameCommits(t *testing.T) {
	server := newServer(t, "", "")
	first := server.commit(t, "main", handler("1"))
	server.tag(t, "v1", first, "")
	server.tag(t, "v1-annotated", first, "a release")
	second := server.commit(t, "main", handler("2"))
	slash := server.commit(t, "feature/x", handler("3"))
	server.commit(t, "both", handler("4"))
	server.tag(t, "both", first, "")
	branch := server.commit(t, "both", handler("5"))

	found, err := git.List(t.Context(), server.remote())
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{
		"main": second, "feature/x": slash, "v1": first, "v1-annotated": first, "both": branch,
		"refs/heads/main": second, "refs/tags/v1-annotated": first,
	} {
		if got, err := found.Commit(reference); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", reference, got, err, want)
		}
	}
	for _, reference := range []string{"x", "feature", "v1^{}/", "missing"} {
		_, err := found.Commit(reference)
		var missing *git.NotFoundError
		if !errors.As(err, &missing) {
			t.Errorf("%s: %v, want a NotFoundError", reference, err)
		}
	}
}

func TestFixedCommitIsNoReference(t *testing.T) {
	id := strings.Repeat("aB", 20)
	if got := git.FixedCommit(id); got != strings.ToLower(id) {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"main", id[1:], id + "0", strings.Repeat("g", 40)} {
		if got := git.FixedCommit(name); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestServerThatWantsCredentials(t *testing.T) {
	server := newServer(t, "ann", "s3cret")
	want := server.commit(t, "main", handler("1"))
	remote := server.remote()
	remote.Credential = credential(t, "basic", map[string]string{"username": "ann", "password": "s3cret"})
	found, err := git.List(t.Context(), remote)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := found.Commit("main"); got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	inURL := git.Remote{URL: strings.Replace(server.remote().URL, "://", "://ann:s3cret@", 1)}
	if _, err := git.List(t.Context(), inURL); err != nil {
		t.Errorf("credentials in the URL: %v", err)
	}

	remote.Credential = credential(t, "basic", map[string]string{"username": "ann", "password": "wr0ng"})
	for name, remote := range map[string]git.Remote{
		"wrong password": remote, "none": server.remote(),
		"wrong password in the URL": {URL: strings.Replace(server.remote().URL, "://", "://ann:wr0ng@", 1)},
	} {
		_, err := git.List(t.Context(), remote)
		var refused *git.AuthorizationError
		if !errors.As(err, &refused) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: %v, want an AuthorizationError that shows no password", name, err)
		}
	}
}

func TestServerThatDoesNotServe(t *testing.T) {
	server := newServer(t, "", "")
	closed := httptest.NewServer(nil)
	closed.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		http.Error(response, "the inner secret", http.StatusInternalServerError)
	}))
	defer broken.Close()
	for name, test := range map[string]struct{ url, want string }{
		"no such repository": {server.http.URL + "/none.git", "repository " + server.http.URL + "/none.git was not found"},
		"nobody listens":     {strings.Replace(closed.URL, "://", "://ann:s3cret@", 1) + "/a.git", "connection refused"},
		"an error":           {broken.URL + "/a.git", "answered with HTTP status 500"},
		"a file":             {"file:///etc", "can't be fetched: use https://"},
		"a path":             {"/etc", "can't be fetched: use https://"},
		"a program":          {"ext::sh -c id", "use https://"},
		"unprotected":        {"git://host/a.git", "can't be fetched: use https://"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.List(t.Context(), git.Remote{URL: test.url})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "inner")) {
				t.Errorf("shows what it must not: %v", err)
			}
		})
	}
}

func TestHTTPSWithACertificateOfItsOwnAuthority(t *testing.T) {
	server := newServer(t, "ann", "s3cret")
	want := server.commit(t, "main", handler("1"))
	secure := httptest.NewTLSServer(server.http.Config.Handler)
	defer secure.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	for name, test := range map[string]struct{ authority, fails string }{
		"known":   {string(authority), ""},
		"unknown": {"", "certificate signed by unknown authority"},
		"none":    {"-----", "the key ca.crt of the Secret with the credentials holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{"username": "ann", "password": "s3cret", "ca.crt": test.authority}
			remote := git.Remote{URL: secure.URL + "/" + server.Name, Credential: credential(t, "basic", data)}
			found, err := git.List(t.Context(), remote)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if commit, err := found.Commit("main"); commit != want || err != nil {
				t.Errorf("%s, %v", commit, err)
			}
			files, err := fetch(t, remote, git.Checkout{Commit: want, BaseDir: "/"})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, files, map[string]string{"handler.js": "1"})
		})
	}
}

// A server that sends its clients elsewhere doesn't get their credentials there.
func TestRedirectToAnotherHostTakesNoCredentials(t *testing.T) {
	var shown atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "" {
			shown.Store(true)
		}
		response.WriteHeader(http.StatusUnauthorized)
	}))
	defer elsewhere.Close()
	redirects := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		http.Redirect(response, request, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)+request.URL.Path+"?"+request.URL.RawQuery, http.StatusFound)
	}))
	defer redirects.Close()
	for _, remote := range []git.Remote{
		{URL: redirects.URL + "/a.git", Credential: credential(t, "basic", map[string]string{"username": "ann", "password": "s3cret"})},
		{URL: strings.Replace(redirects.URL, "://", "://ann:s3cret@", 1) + "/a.git"},
	} {
		if _, err := git.List(t.Context(), remote); err == nil {
			t.Error("it was let in")
		}
		if _, err := fetch(t, remote, git.Checkout{Commit: strings.Repeat("1", 40), BaseDir: "/"}); err == nil {
			t.Error("it was let in")
		}
	}
	if shown.Load() {
		t.Error("the credentials were sent to another host")
	}
}

func TestEmptyRepositoryHasNoBranch(t *testing.T) {
	found, err := git.List(t.Context(), newServer(t, "", "").remote())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := found.Commit("main"); err == nil {
		t.Error("no error")
	}
}

func TestSSHKeyWithAndWithoutPassphrase(t *testing.T) {
	for _, passphrase := range []string{"", "open sesame"} {
		server := newServer(t, "", "")
		want := server.commit(t, "main", handler("1"))
		private, public := newKey(t, passphrase)
		url, hostKey := server.overSSH(t, public)
		remote := git.Remote{URL: url, Credential: credential(t, "key", map[string]string{"key": private, "password": passphrase})}
		found, err := git.List(t.Context(), remote)
		if err != nil {
			t.Fatalf("passphrase %q: %v", passphrase, err)
		}
		if got, err := found.Commit("main"); got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
		if want := hostKey.Type() + " " + ssh.FingerprintSHA256(hostKey); found.HostKey != want {
			t.Errorf("host key %q, want %q", found.HostKey, want)
		}
	}
}

func TestSSHKeyThatIsNotLetIn(t *testing.T) {
	server := newServer(t, "", "")
	_, public := newKey(t, "")
	stranger, _ := newKey(t, "")
	url, _ := server.overSSH(t, public)
	for name, remote := range map[string]git.Remote{
		"another key": {URL: url, Credential: credential(t, "key", map[string]string{"key": stranger})},
		"none":        {URL: url},
	} {
		_, err := git.List(t.Context(), remote)
		var refused *git.AuthorizationError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v, want an AuthorizationError", name, err)
		}
	}
}

func TestRepositoryThatIsNotThereOverSSH(t *testing.T) {
	server := newServer(t, "", "")
	private, public := newKey(t, "")
	url, _ := server.overSSH(t, public)
	remote := git.Remote{URL: url + "x", Credential: credential(t, "key", map[string]string{"key": private})}
	_, err := git.List(t.Context(), remote)
	var missing *git.NotFoundError
	if !errors.As(err, &missing) {
		t.Errorf("%v, want a NotFoundError", err)
	}
}

func TestSSHHostKeyIsChecked(t *testing.T) {
	server := newServer(t, "", "")
	server.commit(t, "main", handler("1"))
	private, public := newKey(t, "")
	url, hostKey := server.overSSH(t, public)
	_, stranger := newKey(t, "")
	host := strings.Split(strings.TrimPrefix(url, "ssh://git@"), "/")[0]
	line := func(key ssh.PublicKey) string { return knownhosts.Line([]string{knownhosts.Normalize(host)}, key) }
	pin := func(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }
	for name, test := range map[string]struct {
		secret map[string]string
		pinned string
		want   string
	}{
		"the known one":                  {map[string]string{"known_hosts": line(hostKey)}, "", ""},
		"the known one, among others":    {map[string]string{"known_hosts": line(hostKey) + "\n# a comment\n"}, "", ""},
		"a hashed name":                  {map[string]string{"known_hosts": knownhosts.Line([]string{knownhosts.HashHostname(knownhosts.Normalize(host))}, hostKey)}, "", ""},
		"another than the known one":     {map[string]string{"known_hosts": line(stranger)}, "", "which is not under known_hosts"},
		"of a host that is not known":    {map[string]string{"known_hosts": knownhosts.Line([]string{"elsewhere"}, hostKey)}, "", "which is not under known_hosts"},
		"known hosts that are none":      {map[string]string{"known_hosts": "???"}, "", "can't be read"},
		"the one of before":              {nil, pin(hostKey), ""},
		"another than before":            {nil, pin(stranger), "somebody may be in between"},
		"another than before, but known": {map[string]string{"known_hosts": line(hostKey)}, pin(stranger), ""},
		"none that counts":               {map[string]string{"insecureIgnoreHostKey": "true"}, pin(stranger), ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{"key": private}
			for key, value := range test.secret {
				data[key] = value
			}
			_, err := git.List(t.Context(), git.Remote{URL: url, Credential: credential(t, "key", data), HostKey: test.pinned})
			if err != nil && test.want == "" || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCredentialsThatCanNotDo(t *testing.T) {
	encrypted, _ := newKey(t, "open sesame")
	for name, test := range map[string]struct {
		kind string
		data map[string]string
		want string
	}{
		"no key":           {"key", nil, "it has no key key"},
		"no private key":   {"key", map[string]string{"key": "ssh-ed25519 AAAA"}, "no private SSH key that can be read"},
		"no passphrase":    {"key", map[string]string{"key": encrypted}, "no private SSH key that can be read"},
		"wrong passphrase": {"key", map[string]string{"key": encrypted, "password": "wr0ng"}, "can't be read with the passphrase"},
		"no user":          {"basic", map[string]string{"token": "t0ken"}, "neither the key username nor the key password"},
		"another type":     {"oauth", nil, "use basic or key"},
	} {
		t.Run(name, func(t *testing.T) {
			data := map[string][]byte{}
			for key, value := range test.data {
				data[key] = []byte(value)
			}
			_, err := git.NewCredential(v1alpha2.RepositoryAuthType(test.kind), data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("shows the passphrase: %v", err)
			}
		})
	}
}

func TestAddressShowsNoCredential(t *testing.T) {
	for url, want := range map[string]string{
		"https://ann:s3cret@host/a.git": "https://host/a.git",
		"https://t0ken@host/a.git":      "https://host/a.git",
		"ssh://git@host:22/a.git":       "ssh://git@host:22/a.git",
		"git@host:a.git":                "git@host:a.git",
		"https://host/a.git":            "https://host/a.git",
	} {
		if got := git.Address(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
		if got := fmt.Sprintf("%v %+v %s", git.Remote{URL: url}, git.Remote{URL: url}, git.Remote{URL: url}); strings.Contains(got, "s3cret") {
			t.Errorf("printed as %s", got)
		}
	}
}
