package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/source"
)

// fetching is what the command fetch is told.
type fetching struct {
	remote                              git.Remote
	checkout                            git.Checkout
	authType, authDir                   string
	to                                  string
	sourceFile                          string
	dependenciesFile, emptyDependencies string
	lockFiles                           []string
	timeFile                            string
}

func runFetch(ctx context.Context, args []string) error {
	f := fetching{checkout: git.Checkout{Limits: git.DefaultLimits}}
	flags := pflag.NewFlagSet("builder fetch", pflag.ContinueOnError)
	flags.StringVar(&f.remote.URL, "url", "", "URL of the Git repository")
	flags.StringVar(&f.checkout.Commit, "commit", "", "full id of the commit")
	flags.StringVar(&f.checkout.BaseDir, "base-dir", "", "directory of the repository to take")
	flags.StringVar(&f.authType, "auth-type", "", "basic or key; none if empty")
	flags.StringVar(&f.authDir, "auth-dir", "", "directory with the keys of the Secret that has the credentials")
	flags.StringVar(&f.to, "to", "", "directory to create, and to write the files to")
	flags.StringVar(&f.sourceFile, "source-file", "", "file that there has to be")
	flags.StringVar(&f.dependenciesFile, "dependencies-file", "", "file that lists the dependencies")
	flags.StringVar(&f.emptyDependencies, "empty-dependencies", "", "what to write to the dependencies file if there is none")
	flags.StringArrayVar(&f.lockFiles, "lock-file", nil, "file that fixes the dependencies, if it is there; may be repeated")
	flags.StringVar(&f.timeFile, "time-file", "", "file to write the time of the commit to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return f.run(ctx)
}

func (f *fetching) run(ctx context.Context) error {
	begin := time.Now()
	if f.authType != "" {
		data, err := readKeys(f.authDir)
		if err != nil {
			return err
		}
		if f.remote.Credential, err = git.NewCredential(v1alpha2.RepositoryAuthType(f.authType), data); err != nil {
			return fmt.Errorf("read the Secret of spec.source.gitRepository.auth: %w", err)
		}
	}
	objects, err := os.MkdirTemp("", "objects-")
	if err != nil {
		return fmt.Errorf("make room for objects: %w", err)
	}
	defer os.RemoveAll(objects)
	if err := os.Mkdir(f.to, 0o755); err != nil {
		return fmt.Errorf("make room for the source: %w", err)
	}
	committed, err := git.Fetch(ctx, f.remote, f.checkout, objects, f.to)
	if err != nil {
		return fmt.Errorf("fetch commit %s of %s: %w", f.checkout.Commit, f.remote.Address(), err)
	}
	if f.timeFile != "" {
		if err := os.WriteFile(f.timeFile, []byte(committed.UTC().Format(time.RFC3339)), 0o644); err != nil {
			return fmt.Errorf("write the time of the commit: %w", err)
		}
	}
	if err := f.complete(); err != nil {
		return err
	}
	fmt.Printf("fetched %s of %s in %s\n", f.checkout.Commit, f.remote.Address(), time.Since(begin).Round(time.Millisecond))
	return nil
}

// complete checks that the files are a Function's.
func (f *fetching) complete() error {
	root, err := os.OpenRoot(f.to)
	if err != nil {
		return fmt.Errorf("open the source: %w", err)
	}
	defer root.Close()
	if _, err := root.Stat(f.sourceFile); err != nil {
		return fmt.Errorf("commit %s has no file %s in directory %s; add it, or correct spec.source.gitRepository.baseDir",
			f.checkout.Commit, f.sourceFile, f.checkout.BaseDir)
	}
	if err := f.checkLocks(root); err != nil {
		return err
	}
	text, err := root.ReadFile(f.dependenciesFile)
	if errors.Is(err, fs.ErrNotExist) && f.emptyDependencies != "" {
		return root.WriteFile(f.dependenciesFile, []byte(f.emptyDependencies), 0o644)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the dependencies: %w", err)
	}
	if len(text) > source.MaxDependencies {
		return fmt.Errorf("%s of %d bytes is more than the %d that a build takes; list fewer dependencies",
			f.dependenciesFile, len(text), source.MaxDependencies)
	}
	return nil
}

// checkLocks refuses lock files that the installer could not be given.
func (f *fetching) checkLocks(root *os.Root) error {
	for _, file := range f.lockFiles {
		info, err := root.Lstat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("look at lock file: %w", err)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file; put the file itself into directory %s", file, f.checkout.BaseDir)
		case info.Size() > source.MaxLock:
			return fmt.Errorf("%s of %d MiB is larger than the %d MiB that a build takes; list fewer dependencies, or leave it out",
				file, info.Size()>>20, source.MaxLock>>20)
		}
	}
	return nil
}

// readKeys reads the files of a mounted Secret.
func readKeys(directory string) (map[string][]byte, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	data := map[string][]byte{}
	for _, entry := range entries {
		file := filepath.Join(directory, entry.Name())
		// The kubelet keeps each version in a directory of its own.
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if data[entry.Name()], err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("read credentials: %w", err)
		}
	}
	return data, nil
}
