package debian

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kyma-project.io/serverless/tools/images/internal/layer"
)

func TestPlaceOfFiles(t *testing.T) {
	for name, want := range map[string]string{
		"usr/bin/env":                  "usr/bin/env",
		"bin/sh":                       "usr/bin/sh",
		"lib/x86_64-linux-gnu/libc.so": "usr/lib/x86_64-linux-gnu/libc.so",
		"lib64":                        "",
		"libexec/x":                    "libexec/x",
		"usr/share/man/man1/env.1.gz":  "",
		"usr/share/mandarin":           "usr/share/mandarin",
		"usr/share/doc/env/changelog":  "",
		"usr/share/doc/env/copyright":  "usr/share/doc/env/copyright",
		"var/lib/dpkg/status":          "",
	} {
		if got := place(name); got != want {
			t.Errorf("place of %s: %q, want %q", name, got, want)
		}
	}
}

func TestPlanOfApt(t *testing.T) {
	got := parsePlan([]byte("Reading package lists...\n" +
		"Inst libc6 (2.41-12+deb13u5 Debian:13.5/stable [amd64]) []\n" +
		"Inst libstdc++6 (14.2.0-19 Debian:13.5/stable [amd64])\n" +
		"Conf libc6 (2.41-12+deb13u5 Debian:13.5/stable [amd64])\n"))
	want := []Package{{"libc6", "2.41-12+deb13u5"}, {"libstdc++6", "14.2.0-19"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestLibraryVersionIsUpstreams(t *testing.T) {
	for version, want := range map[string]string{
		"2.41-12+deb13u5":      "2.41",
		"2.41-12+deb13u6":      "2.41",
		"1:2.5.2-3":            "2.5.2",
		"14.2.0":               "14.2.0",
		"1.3.dfsg+really1-1+b": "1.3.dfsg+really1",
	} {
		got, err := LibraryVersion([]Package{{"other", "1"}, {"lib", version}}, "lib")
		if got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", version, got, err, want)
		}
	}
	if _, err := LibraryVersion(nil, "lib"); err == nil {
		t.Error("the version of a package that is not there was found")
	}
}

func TestRootFileSystemOfPackages(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not on this machine, so there are no packages to unpack")
	}
	debs := []string{
		newDeb(t, "ca-certificates", map[string]string{
			"usr/share/ca-certificates/mozilla/b.crt": "B\n\n",
			"usr/share/ca-certificates/mozilla/a.crt": "A",
			"usr/share/doc/ca-certificates/README":    "read me",
		}),
		newDeb(t, "tool", map[string]string{"usr/bin/tool": "#!/bin/sh\n"}),
	}
	tree, err := RootFS(t.Context(), debs, []Account{{"function", 10001, "/tmp"}})
	if err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]string{
		"etc/ssl/certs/ca-certificates.crt": "A\nB\n",
		"etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n" +
			"function:x:10001:10001:function:/tmp:/sbin/nologin\n" +
			"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
		"etc/group": "root:x:0:\nfunction:x:10001:\nnobody:x:65534:\n",
	} {
		if got := string(tree[name].Content); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	if control := string(tree["var/lib/dpkg/status.d/tool"].Content); !strings.Contains(control, "Package: tool") {
		t.Errorf("a scanner finds %q", control)
	}
	if tree["bin"].Link != "usr/bin" || tree["tmp"].Mode != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("bin is %+v, tmp is %+v", tree["bin"], tree["tmp"])
	}
	for _, gone := range []string{"usr/share/doc/ca-certificates/README", "usr/share/ca-certificates/mozilla/a.crt"} {
		if _, there := tree[gone]; there {
			t.Errorf("%s is there", gone)
		}
	}
}

func TestMissingCertificatesAreNamed(t *testing.T) {
	if err := bundleCertificates(layer.Tree{}); err == nil || !strings.Contains(err.Error(), "add the package ca-certificates") {
		t.Errorf("got %v", err)
	}
}

func newDeb(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["DEBIAN/control"] = "Package: " + name + "\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: test\n"
	for file, content := range files {
		path := filepath.Join(root, file)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(t.TempDir(), name+"_1_all.deb")
	if output, err := exec.CommandContext(t.Context(), "dpkg-deb", "--build", "--root-owner-group", root, deb).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return deb
}
