package sbom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	spdx "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"kyma-project.io/serverless/internal/sbom"
)

func files(contents map[string]string) fstest.MapFS {
	system := fstest.MapFS{}
	for name, text := range contents {
		system[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return system
}

func TestInstalledPackagesAreListed(t *testing.T) {
	system := files(map[string]string{
		"node_modules/ms/package.json":                             `{"name":"ms","version":"2.1.3"}`,
		"node_modules/ms/dist/package.json":                        `{"name":"part-of-ms","version":"1.0.0"}`,
		"node_modules/a/node_modules/ms/package.json":              `{"name":"ms","version":"1.0.0"}`,
		"node_modules/@scope/b/package.json":                       `{"name":"@scope/b","version":"1.0.0-rc.1+x"}`,
		"node_modules/broken/package.json":                         `{`,
		"node_modules/.package-lock.json":                          `{"packages":{"":{"resolved":"https://ann:s3cret@registry.test/a.tgz"}}}`,
		"site-packages/Flask_Login-0.6.3.dist-info/METADATA":       "Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.3\n\nName: no\n",
		"site-packages/numpy-2.3.1.dist-info/RECORD":               "",
		"var/lib/dpkg/status.d/libc6":                              "Package: libc6\nArchitecture: amd64\nVersion: 1:2.41-12+deb13u1\nDescription: C\n more\n",
		"usr/lib/python3/dist-packages/uvicorn.dist-info/METADATA": "Name: uvicorn\nVersion: 1\n",
	})
	listing, err := sbom.List(system, []string{"node_modules", "site-packages", "var", "usr"})
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, one := range listing.Packages {
		urls = append(urls, one.URL())
	}
	want := `pkg:deb/debian/libc6@1:2.41-12%2Bdeb13u1?arch=amd64
pkg:npm/%40scope/b@1.0.0-rc.1%2Bx
pkg:npm/ms@1.0.0
pkg:npm/ms@2.1.3
pkg:pypi/flask-login@0.6.3`
	if got := strings.Join(urls, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What packages say of themselves was written by anybody.
func TestNoURLGetsIntoADocument(t *testing.T) {
	const secret = "s3cret"
	for name, text := range map[string]string{
		"a URL as version":       `{"name":"ms","version":"git+https://ann:` + secret + `@git.test/ms.git#1"}`,
		"a URL as name":          `{"name":"https://ann:` + secret + `@git.test/ms","version":"1.0.0"}`,
		"where it was had":       `{"name":"ms","version":"1.0.0","_resolved":"https://ann:` + secret + `@registry.test/ms.tgz","repository":"https://` + secret + `@git.test"}`,
		"an object as name":      `{"name":{"ms":"` + secret + `"},"version":["` + secret + `"]}`,
		"more than a name takes": `{"name":"` + strings.Repeat(secret, 100) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			listing, err := sbom.List(files(map[string]string{"node_modules/ms/package.json": text}), []string{"node_modules"})
			if err != nil || len(listing.Packages) != 1 || listing.Packages[0].Name != "ms" {
				t.Fatalf("%+v, %v; want the package by its directory", listing, err)
			}
			if document := document(t, listing); bytes.Contains(document, []byte(secret)) {
				t.Errorf("the document has it: %s", document)
			}
		})
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	directory := t.TempDir()
	if err := os.MkdirAll(directory+"/node_modules/ms", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(directory+"/secret", []byte(`{"name":"secret"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(directory+"/secret", directory+"/node_modules/ms/package.json"); err != nil {
		t.Fatal(err)
	}
	listing, err := sbom.List(os.DirFS(directory), []string{"node_modules"})
	if err != nil || len(listing.Packages) != 0 {
		t.Errorf("%+v, %v", listing, err)
	}
}

func TestMorePackagesThanAListTakesAreSaid(t *testing.T) {
	var many sbom.Listing
	for i := range 10_001 {
		many.Packages = append(many.Packages, sbom.Package{Type: "npm", Name: fmt.Sprintf("p%d", i)})
	}
	text, err := many.Text()
	if err != nil {
		t.Fatal(err)
	}
	listing := sbom.ParseListing(text)
	if len(listing.Packages) != 0 || listing.Unknown == "" {
		t.Fatalf("%d packages, %q", len(listing.Packages), listing.Unknown)
	}
	if text := document(t, listing); !bytes.Contains(text, []byte("are not listed: there are more than")) {
		t.Errorf("%s", text)
	}
}

func TestListingIsReadBackAsWritten(t *testing.T) {
	listing := sbom.Listing{Packages: []sbom.Package{{Type: "npm", Name: "ms", Version: "2.1.3"}}}
	text, err := listing.Text()
	if err != nil {
		t.Fatal(err)
	}
	if read := sbom.ParseListing(text); len(read.Packages) != 1 || read.Packages[0] != listing.Packages[0] {
		t.Errorf("%+v", read)
	}
	for _, text := range []string{"", "{", `[]`} {
		if read := sbom.ParseListing(text); read.Unknown == "" {
			t.Errorf("%q: %+v, want that nothing is known", text, read)
		}
	}
}

func TestDocumentIsTheSameEachTimeAndValid(t *testing.T) {
	listing := sbom.Listing{Packages: []sbom.Package{{Type: "npm", Name: "b", Version: "1.0.0"}, {Type: "npm", Name: "a"}}}
	text := document(t, listing)
	listing.Packages[0], listing.Packages[1] = listing.Packages[1], listing.Packages[0]
	if again := document(t, listing); !bytes.Equal(text, again) {
		t.Errorf("%s\nthen %s", text, again)
	}
	read, err := spdx.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(read); err != nil {
		t.Error(err)
	}
	described, err := spdxlib.GetDescribedPackageIDs(read)
	if err != nil || len(described) != 1 || len(read.Packages) != 3 || read.CreationInfo.Created != "2026-01-02T03:04:05Z" {
		t.Errorf("%v, %v, %d packages, created %s", described, err, len(read.Packages), read.CreationInfo.Created)
	}
	if !json.Valid(text) {
		t.Error("no JSON")
	}
}

func document(t *testing.T, listing sbom.Listing) []byte {
	t.Helper()
	text, err := sbom.Document(sbom.Subject{
		Name: "shop__orders", Digest: "sha256:" + strings.Repeat("a", 64), Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}, listing)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
