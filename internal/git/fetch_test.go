package git_test

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/tests/gitserver"
)

// fetch returns the fetched files' content by path; links as "-> target".
func fetch(t *testing.T, remote git.Remote, checkout git.Checkout) (map[string]string, error) {
	t.Helper()
	if checkout.Limits == (git.Limits{}) {
		checkout.Limits = git.DefaultLimits
	}
	target := t.TempDir()
	if _, err := git.Fetch(t.Context(), remote, checkout, t.TempDir(), target); err != nil {
		return nil, err
	}
	found := map[string]string{}
	err := filepath.WalkDir(target, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(target, file)
		if entry.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(file)
			found[name] = "-> " + link
			return err
		}
		text, err := os.ReadFile(file)
		if info, _ := entry.Info(); info != nil && info.Mode()&0o100 != 0 {
			name += "*"
		}
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, nil
}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if found, ok := got[name]; !ok || found != text {
			t.Errorf("%s: %q (%t), want %q", name, found, ok, text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFetchTakesOnlyTheDirectory(t *testing.T) {
	server := newServer(t, "", "")
	commit := server.commit(t, "main", map[string]gitserver.File{
		"README":                       {Content: "not wanted"},
		"functions/orders/handler.js":  {Content: "1"},
		"functions/orders/lib/a.js":    {Content: "2"},
		"functions/orders/run.sh":      {Mode: "100755", Content: "3"},
		"functions/orders/link.js":     {Mode: "120000", Content: "lib/a.js"},
		"functions/orders/lib/up.js":   {Mode: "120000", Content: "../handler.js"},
		"functions/orders/later.js":    {Mode: "120000", Content: "node_modules/a.js"},
		"functions/payments/secret.js": {Content: "not wanted"},
		"functions/payments/module":    {Mode: "160000", Content: strings.Repeat("1", 40)},
	})
	want := map[string]string{
		"handler.js": "1", "lib/a.js": "2", "run.sh*": "3",
		"link.js": "-> lib/a.js", "lib/up.js": "-> ../handler.js", "later.js": "-> node_modules/a.js",
	}
	for _, directory := range []string{"functions/orders", "/functions/orders/", "./functions//orders"} {
		got, err := fetch(t, server.remote(), git.Checkout{Commit: commit, BaseDir: directory})
		if err != nil {
			t.Fatalf("%s: %v", directory, err)
		}
		equal(t, got, want)
	}
}

func TestFetchOfTheWholeRepository(t *testing.T) {
	server := newServer(t, "", "")
	commit := server.commit(t, "main", handler("1"))
	for _, directory := range []string{"", "/", ".", "./"} {
		got, err := fetch(t, server.remote(), git.Checkout{Commit: commit, BaseDir: directory})
		if err != nil {
			t.Fatalf("%q: %v", directory, err)
		}
		equal(t, got, map[string]string{"handler.js": "1"})
	}
}

// By default, servers give out only what references name.
func TestFetchOfAFormerCommit(t *testing.T) {
	for _, direct := range []string{"true", "false"} {
		server := newServer(t, "", "")
		if err := server.Configure("uploadpack.allowReachableSHA1InWant", direct); err != nil {
			t.Fatal(err)
		}
		first := server.commit(t, "main", handler("1"))
		server.tag(t, "annotated", first, "")
		second := server.commit(t, "main", handler("2"))
		server.commit(t, "main", handler("3"))
		private, public := newKey(t, "")
		url, _ := server.overSSH(t, public)
		overSSH := git.Remote{URL: url, Credential: credential(t, "key", map[string]string{"key": private})}
		for _, remote := range []git.Remote{server.remote(), overSSH} {
			got, err := fetch(t, remote, git.Checkout{Commit: second, BaseDir: "/"})
			if err != nil {
				t.Fatalf("direct %s, %s: %v", direct, remote, err)
			}
			equal(t, got, map[string]string{"handler.js": "2"})
		}
	}
}

func TestFetchIsShallow(t *testing.T) {
	server := newServer(t, "", "")
	server.commit(t, "main", map[string]gitserver.File{"large": {Content: random(2 << 20)}})
	commit := server.commit(t, "main", handler("1"))
	limits := git.DefaultLimits
	limits.Transfer = 1 << 20
	if _, err := fetch(t, server.remote(), git.Checkout{Commit: commit, BaseDir: "/", Limits: limits}); err != nil {
		t.Error(err)
	}
}

func TestSourceThatIsRefusedSaysWhy(t *testing.T) {
	lfs := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 5\n"
	for name, test := range map[string]struct {
		files  map[string]gitserver.File
		dir    string
		limits git.Limits
		want   string
	}{
		"submodule":                  {map[string]gitserver.File{"lib": {Mode: "160000", Content: strings.Repeat("1", 40)}}, "/", git.DefaultLimits, "lib is a submodule, which is not fetched"},
		"LFS":                        {gitserver.Files(map[string]string{"logo.png": lfs}), "/", git.DefaultLimits, "logo.png is stored in Git LFS"},
		"link to a file of the node": {map[string]gitserver.File{"a": {Mode: "120000", Content: "/etc/passwd"}}, "/", git.DefaultLimits, "symbolic link a leads to /etc/passwd"},
		"link out of the repository": {map[string]gitserver.File{"a/b": {Mode: "120000", Content: "../../x"}}, "/", git.DefaultLimits, "leads to ../../x, out of baseDir"},
		"link to another directory":  {map[string]gitserver.File{"f/a": {Mode: "120000", Content: "../shared/a"}, "shared/a": {Content: "1"}}, "f", git.DefaultLimits, "leads to ../shared/a, out of baseDir"},
		"links that lead out as two": {map[string]gitserver.File{"d/e/l": {Mode: "120000", Content: "../.."}, "m": {Mode: "120000", Content: "d/e/l/.."}}, "/", git.DefaultLimits, "symbolic link m leads to d/e/l/.."},
		"links in a circle":          {map[string]gitserver.File{"a": {Mode: "120000", Content: "b"}, "b": {Mode: "120000", Content: "a"}}, "/", git.DefaultLimits, "symbolic link"},
		"directory that isn't there": {handler("1"), "functions", git.DefaultLimits, "has no directory functions; correct spec.source.gitRepository.baseDir"},
		"directory that is a file":   {handler("1"), "handler.js", git.DefaultLimits, "has no directory handler.js"},
		"directory outside":          {handler("1"), "../x", git.DefaultLimits, "leaves the repository"},
		"too many files":             {gitserver.Files(map[string]string{"a": "", "b": "", "c": ""}), "/", git.Limits{Transfer: 1 << 20, Time: time.Minute, Files: 2, Bytes: 1 << 20}, "more than 2 files"},
		"too much in the directory":  {gitserver.Files(map[string]string{"zeros": strings.Repeat("0", 3<<20)}), "/", git.Limits{Transfer: 1 << 20, Time: time.Minute, Files: 9, Bytes: 2 << 20}, "baseDir holds more than 2 MiB"},
		"too much in the repository": {map[string]gitserver.File{"f/a": {Content: "1"}, "b": {Content: random(2 << 20)}}, "f", git.Limits{Transfer: 1 << 20, Time: time.Minute, Files: 9, Bytes: 1 << 20}, "the repository sends more than 1 MiB"},
		"far too much to send":       {map[string]gitserver.File{"b": {Content: random(4 << 20)}}, "/", git.Limits{Transfer: 2 << 20, Time: time.Minute, Files: 9, Bytes: 64 << 20}, "the repository sends more than 2 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, "", "")
			commit := server.commit(t, "main", test.files)
			private, public := newKey(t, "")
			url, _ := server.overSSH(t, public)
			overSSH := git.Remote{URL: url, Credential: credential(t, "key", map[string]string{"key": private})}
			for _, remote := range []git.Remote{server.remote(), overSSH} {
				_, err := fetch(t, remote, git.Checkout{Commit: commit, BaseDir: test.dir, Limits: test.limits})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: got %v, want %q", remote, err, test.want)
				}
			}
		})
	}
}

func TestFetchOfACommitThatIsNotThere(t *testing.T) {
	server := newServer(t, "", "")
	server.commit(t, "main", handler("1"))
	_, err := fetch(t, server.remote(), git.Checkout{Commit: strings.Repeat("1", 40), BaseDir: "/"})
	var missing *git.NotFoundError
	if !errors.As(err, &missing) {
		t.Errorf("%v, want a NotFoundError", err)
	}
}

// A server that sends a little, and then nothing more.
func TestServerThatStallsIsNotWaitedFor(t *testing.T) {
	server := newServer(t, "", "")
	commit := server.commit(t, "main", map[string]gitserver.File{"large": {Content: random(1 << 20)}})
	stalls := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		answer := httptest.NewRecorder()
		server.http.Config.Handler.ServeHTTP(answer, request)
		maps.Copy(response.Header(), answer.Header())
		if !strings.HasSuffix(request.URL.Path, "/git-upload-pack") {
			_, _ = response.Write(answer.Body.Bytes())
			return
		}
		_, _ = response.Write(answer.Body.Bytes()[:100<<10])
		_ = http.NewResponseController(response).Flush()
		<-request.Context().Done()
	}))
	defer stalls.Close()
	limits := git.DefaultLimits
	limits.Time = time.Second
	begin := time.Now()
	_, err := fetch(t, git.Remote{URL: stalls.URL + "/" + server.Name}, git.Checkout{Commit: commit, BaseDir: "/", Limits: limits})
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") || time.Since(begin) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
}

func TestServerThatHangsIsNotWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	private, _ := newKey(t, "")
	limits := git.DefaultLimits
	limits.Time = time.Second
	for _, remote := range []git.Remote{
		{URL: "http://" + listener.Addr().String() + "/a.git"},
		{URL: "ssh://git@" + listener.Addr().String() + "/a.git", Credential: credential(t, "key", map[string]string{"key": private})},
	} {
		begin := time.Now()
		_, err := fetch(t, remote, git.Checkout{Commit: strings.Repeat("1", 40), BaseDir: "/", Limits: limits})
		if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
			t.Errorf("%s: %v", remote, err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: took %s", remote, took)
		}
	}
}
