package debian

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSources(t *testing.T) {
	for name, test := range map[string]struct {
		parse func(string) []Source
		text  string
		want  []Source
	}{
		"one line": {parseOneLine, "deb http://mirror/debian bookworm main\n",
			[]Source{{[]string{"http://mirror/debian"}, []string{"bookworm"}}}},
		"one line with options, comment and sources": {parseOneLine,
			"# deb http://old/debian bookworm main\n" +
				"deb [arch=amd64 signed-by=/key.gpg]  http://mirror/debian bookworm main # ours\n" +
				"deb-src http://mirror/debian bookworm main\n",
			[]Source{{[]string{"http://mirror/debian"}, []string{"bookworm"}}}},
		"one line, incomplete": {parseOneLine, "deb\ndeb http://mirror/debian\n", nil},
		"deb822": {parseDeb822,
			"Types: deb deb-src\n# of today\nURIs: http://mirror/debian\n  http://second/debian\nSuites: bookworm bookworm-updates\n" +
				"Components: main\n \nTypes: deb\nURIs: http://mirror/debian-security\nSuites: bookworm-security\n",
			[]Source{
				{[]string{"http://mirror/debian", "http://second/debian"}, []string{"bookworm", "bookworm-updates"}},
				{[]string{"http://mirror/debian-security"}, []string{"bookworm-security"}},
			}},
		"deb822, disabled or only sources": {parseDeb822,
			"Enabled: no\nTypes: deb\nURIs: http://a\nSuites: bookworm\n\nTypes: deb-src\nURIs: http://b\nSuites: bookworm\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.parse(test.text)); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMirrorIsThatOfDebianAndNotOfThirdParties(t *testing.T) {
	third := Source{[]string{"http://third/party"}, []string{"nodistro", "tools-bookworm"}}
	release := Source{[]string{"http://mirror/debian"}, []string{"bookworm", "bookworm-updates"}}
	security := Source{[]string{"http://mirror/security"}, []string{"bookworm-security"}}

	for name, test := range map[string]struct {
		sources []Source
		want    string
	}{
		"with security": {[]Source{third, release, security},
			"Types: deb\nURIs: http://mirror/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /key.gpg\n\n" +
				"Types: deb\nURIs: http://mirror/security\nSuites: trixie-security\nComponents: main\nSigned-By: /key.gpg\n\n"},
		"without security": {[]Source{release, third},
			"Types: deb\nURIs: http://mirror/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /key.gpg\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := findMirror(test.sources, "bookworm")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, found.sourceList("/key.gpg")); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	}

	if _, err := findMirror([]Source{third}, "bookworm"); err == nil || !strings.Contains(err.Error(), "usual sources") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
}

func TestSourcesAreReadFromAllPlaces(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(
		os.Mkdir(filepath.Join(dir, "sources.list.d"), 0o755),
		os.WriteFile(filepath.Join(dir, "sources.list"), []byte("deb http://a bookworm main"), 0o600),
		os.WriteFile(filepath.Join(dir, "sources.list.d", "b.list"), []byte("deb http://b bookworm main"), 0o600),
		os.WriteFile(filepath.Join(dir, "sources.list.d", "c.sources"), []byte("Types: deb\nURIs: http://c\nSuites: bookworm"), 0o600),
		os.WriteFile(filepath.Join(dir, "sources.list.d", "d.sources.disabled"), []byte("Types: deb\nURIs: http://d\nSuites: bookworm"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := readSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) != 3 {
		t.Errorf("%d sources, want 3: %v", len(sources), sources)
	}
}

func TestHostRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	for content, want := range map[string]string{
		"ID=debian\nVERSION_CODENAME=bookworm\n": "bookworm",
		"VERSION_CODENAME=\"trixie\"":            "trixie",
		"ID=other\n":                             "",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := hostRelease(path); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", content, got, err, want)
		}
	}
}
