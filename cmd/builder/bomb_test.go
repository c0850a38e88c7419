package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kyma-project.io/serverless/tests/gitserver"
)

// asProgram in the environment has the test binary be the builder, which
// writes to the file of that name how much memory it had at most.
const asProgram = "TEST_AS_BUILDER"

func TestMain(m *testing.M) {
	file := os.Getenv(asProgram)
	if file == "" {
		os.Exit(m.Run())
	}
	err := run(context.Background(), os.Args[1:])
	status, statusErr := os.ReadFile("/proc/self/status")
	if err := errors.Join(err, statusErr, os.WriteFile(file, status, 0o600)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// memoryOf is the most that the program had, as its status says.
func memoryOf(t *testing.T, file string) int {
	t.Helper()
	status, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// memoryLimit is that of a build's smallest profile.
const memoryLimit = 400 << 20

// A repository may be made to fill whatever fetches it.
func TestRepositoryThatIsABombEndsInACondition(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, repository *gitserver.Repository) (commit string)
		want string
	}{
		"a huge file": {func(t *testing.T, repository *gitserver.Repository) string {
			return commit(t, repository, map[string]string{"handler.js": "1", "zeros": strings.Repeat("\x00", 100<<20)})
		}, "the repository has a file of 100 MiB, and 64 MiB is the limit; use a repository without it"},
		"as large a file as may be": {func(t *testing.T, repository *gitserver.Repository) string {
			return commit(t, repository, map[string]string{"handler.js": "1", "zeros": strings.Repeat("\x00", 64<<20)})
		}, "fetched "},
		"very many files": {func(t *testing.T, repository *gitserver.Repository) string {
			files := map[string]string{"handler.js": "1"}
			for i := range 12_000 {
				files[fmt.Sprintf("%d/%d", i/100, i)] = fmt.Sprint(i)
			}
			return commit(t, repository, files)
		}, "baseDir holds more than 10000 files and directories"},
		"directories of directories, of which each is there ten times": {treeBomb, "baseDir holds more than 10000 files and directories"},
		"a path without end": {func(t *testing.T, repository *gitserver.Repository) string {
			return commit(t, repository, map[string]string{"handler.js": "1", strings.Repeat("d/", 2100) + "a": "1"})
		}, "is longer than the 4000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			made, err := gitserver.Create(root, "a.git")
			if err != nil {
				t.Fatal(err)
			}
			id := test.make(t, made)
			command := exec.CommandContext(t.Context(), os.Args[0], "fetch", "--url="+serve(t, root), "--commit="+id, "--base-dir=/",
				"--to="+filepath.Join(t.TempDir(), "source"), "--source-file=handler.js", "--dependencies-file=package.json", "--empty-dependencies={}")
			// As in a Job.
			status := filepath.Join(t.TempDir(), "status")
			command.Env = []string{asProgram + "=" + status, fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit), "TMPDIR=" + t.TempDir()}
			output, err := command.CombinedOutput()
			if !strings.Contains(string(output), test.want) || (err == nil) != (test.want == "fetched ") {
				t.Errorf("%v: %s; want %q", err, output, test.want)
			}
			used := memoryOf(t, status)
			if used > memoryLimit*3/4 {
				t.Errorf("it took %d MiB of memory", used>>20)
			}
			t.Logf("%d MiB, %s", used>>20, command.ProcessState.UserTime())
		})
	}
}

func commit(t *testing.T, repository *gitserver.Repository, files map[string]string) string {
	t.Helper()
	id, err := repository.Commit("main", gitserver.Files(files))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// treeBomb is a commit of a dozen objects that has ten to the tenth files.
func treeBomb(t *testing.T, repository *gitserver.Repository) string {
	t.Helper()
	id, err := repository.Object("blob", "1")
	if err != nil {
		t.Fatal(err)
	}
	mode, handler := "100644 blob", id
	for range 10 {
		var tree strings.Builder
		for i := range 10 {
			fmt.Fprintf(&tree, "%s %s\t%d\n", mode, id, i)
		}
		if id, err = repository.Object("tree", tree.String()); err != nil {
			t.Fatal(err)
		}
		mode = "040000 tree"
	}
	if id, err = repository.Object("tree", fmt.Sprintf("%s %s\td\n100644 blob %s\thandler.js\n", mode, id, handler)); err != nil {
		t.Fatal(err)
	}
	if id, err = repository.CommitTree("main", id); err != nil {
		t.Fatal(err)
	}
	return id
}
