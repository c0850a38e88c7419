package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/release"
)

const changelog = "# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-11-25)\n\n- Faster.\n\n## 1.2.2\n\n- Slower.\n"

func TestNotesAreTheSectionOfTheVersion(t *testing.T) {
	notes, err := release.Notes(changelog, "1.2.3")
	if err != nil || notes != "- Faster.\n" {
		t.Errorf("%q, %v", notes, err)
	}
	for version, want := range map[string]string{
		"1.2":              `no section is headed "## 1.2"`,
		release.Unreleased: "is empty",
	} {
		if _, err := release.Notes(changelog, version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", version, err, want)
		}
	}
	if _, err := release.Notes(changelog+"## 1.2.3\n", "1.2.3"); err == nil || !strings.Contains(err.Error(), "two sections") {
		t.Errorf("got %v for two sections", err)
	}
}

func TestOnlyATaggedCommitWithoutChangesIsReleased(t *testing.T) {
	directory := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", append([]string{"-C", directory, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	expect := func(want string) {
		t.Helper()
		err := release.CheckCommit(t.Context(), directory, "1.2.3")
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first")
	expect("HEAD does not have that tag")
	git("tag", "v1.2.3")
	expect("HEAD does not have that tag")
	git("tag", "1.2.3")
	expect("")
	if err := os.WriteFile(filepath.Join(directory, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("not committed")
	git("add", "new")
	git("commit", "-q", "-m", "second")
	expect("HEAD does not have that tag")
}

func TestChecksumsAreWhatSha256sumChecks(t *testing.T) {
	directory := t.TempDir()
	for name, text := range map[string]string{"b.yaml": "b", "a.yaml": "a", release.ChecksumsFile: "former"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(directory, "oci"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := release.WriteChecksums(directory); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", release.ChecksumsFile)
	command.Dir = directory
	output, err := command.CombinedOutput()
	if err != nil || string(output) != "a.yaml: OK\nb.yaml: OK\n" {
		t.Errorf("%s, %v", output, err)
	}
}
