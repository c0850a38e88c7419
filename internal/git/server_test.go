package git_test

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/tests/gitserver"
)

// server has a repository with a branch, and serves it.
type server struct {
	*gitserver.Repository
	root string
	http *httptest.Server
	// asked counts the requests.
	asked atomic.Int32
}

func newServer(t *testing.T, user, password string) *server {
	t.Helper()
	s := &server{root: t.TempDir()}
	var err error
	if s.Repository, err = gitserver.Create(s.root, "shop/orders.git"); err != nil {
		t.Fatal(err)
	}
	handler, err := gitserver.HTTP(s.root, user, password)
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		s.asked.Add(1)
		handler.ServeHTTP(response, request)
	}))
	t.Cleanup(s.http.Close)
	return s
}

func (s *server) remote() git.Remote { return git.Remote{URL: s.http.URL + "/" + s.Name} }

func (s *server) commit(t *testing.T, branch string, files map[string]gitserver.File) string {
	t.Helper()
	commit, err := s.Commit(branch, files)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func (s *server) tag(t *testing.T, name, commit, message string) {
	t.Helper()
	if err := s.Tag(name, commit, message); err != nil {
		t.Fatal(err)
	}
}

// overSSH serves the repository to the key and returns its URL and the server's key.
func (s *server) overSSH(t *testing.T, client ssh.PublicKey) (string, ssh.PublicKey) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server, err := gitserver.NewSSH(s.root, client)
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	return "ssh://git@" + listener.Addr().String() + "/" + s.Name, server.HostKey
}

func newKey(t *testing.T, passphrase string) (string, ssh.PublicKey) {
	t.Helper()
	private, public, err := gitserver.NewKey(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func credential(t *testing.T, kind v1alpha2.RepositoryAuthType, data map[string]string) git.Credential {
	t.Helper()
	bytes := map[string][]byte{}
	for key, value := range data {
		bytes[key] = []byte(value)
	}
	made, err := git.NewCredential(kind, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func handler(source string) map[string]gitserver.File {
	return gitserver.Files(map[string]string{"handler.js": source})
}

// random is text that can't be compressed.
func random(size int) string {
	text := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(text)
	return string(text)
}
