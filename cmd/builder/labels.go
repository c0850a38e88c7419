package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/internal/source"
)

// about is what the labels of a published layer say of it.
type about struct {
	dependenciesFile, timeFile string
	lockFiles                  []string
	packages                   bool
}

func (a about) labels(root string, entries []string) (map[string]string, error) {
	labels := map[string]string{}
	if a.dependenciesFile == "" && a.timeFile == "" && !a.packages {
		return labels, nil
	}
	directory, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", root, err)
	}
	defer directory.Close()
	if a.dependenciesFile != "" {
		if labels[image.DependenciesLabel], err = readFile(directory, a.dependenciesFile); err != nil {
			return nil, err
		}
		if err := labelLock(labels, directory, a.lockFiles); err != nil {
			return nil, err
		}
	}
	if a.timeFile != "" {
		if labels[image.CreatedLabel], err = readTime(a.timeFile); err != nil {
			return nil, err
		}
	}
	if a.packages {
		listing, err := sbom.List(directory.FS(), entries)
		if err != nil {
			return nil, err
		}
		if labels[image.PackagesLabel], err = listing.Text(); err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
	}
	return labels, nil
}

// labelLock adds the label of the first lock file that is there.
func labelLock(labels map[string]string, directory *os.Root, files []string) error {
	for _, file := range files {
		text, err := readFile(directory, file)
		if err != nil {
			return err
		}
		if text != "" {
			labels[image.LockLabel] = source.LockOf(file, []byte(text)).String()
			return nil
		}
	}
	return nil
}

// readFile reads a file that may be missing, and that may be a link within the
// directory.
func readFile(directory *os.Root, file string) (string, error) {
	text, err := directory.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return string(text), nil
}

func readTime(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read time of the source: %w", err)
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil {
		return "", fmt.Errorf("read time of the source: %w", err)
	}
	return at.UTC().Format(time.RFC3339), nil
}
