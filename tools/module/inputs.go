package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// source is what the module is made from.
type source struct {
	commit  string
	created time.Time
}

// complete asks Git for what was not given.
func (s source) complete(ctx context.Context) (source, error) {
	commit := s.commit
	if commit == "" {
		commit = "HEAD"
	}
	output, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%H %cI", commit).Output()
	if err != nil {
		return source{}, fmt.Errorf("find commit %s: %w; run this in a clone of the repository", commit, err)
	}
	hash, date, _ := strings.Cut(strings.TrimSpace(string(output)), " ")
	created, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return source{}, fmt.Errorf("read time of commit %s: %w", hash, err)
	}
	return source{hash, created}, nil
}

// readDigests reads the digests of images by their names; none for no file.
func readDigests(file string) (map[string]string, error) {
	images, err := readImages(file)
	digests := map[string]string{}
	for _, image := range images {
		digests[path.Base(image.RepositoryStr())] = image.DigestStr()
	}
	return digests, err
}

// readImages reads what the images program prints: lines NAME REFERENCE@DIGEST.
func readImages(file string) ([]name.Digest, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read digests of images: %w", err)
	}
	var images []name.Digest
	for line := range strings.Lines(string(text)) {
		_, reference, _ := strings.Cut(strings.TrimSpace(line), " ")
		image, err := name.NewDigest(reference)
		if err != nil {
			return nil, fmt.Errorf("read digests of images: %s has %q: %w; give it what the images program prints", file, strings.TrimSpace(line), err)
		}
		images = append(images, image)
	}
	return images, nil
}

// imageName is a reference's last part, without tag.
func imageName(reference string) string {
	name, _, _ := strings.Cut(path.Base(reference), ":")
	return name
}
