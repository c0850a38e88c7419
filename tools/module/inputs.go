package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"
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

// readDigests reads lines NAME REFERENCE@DIGEST; none for no file.
func readDigests(file string) (map[string]string, error) {
	digests := map[string]string{}
	if file == "" {
		return digests, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read digests of images: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, reference, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, digest, found := strings.Cut(reference, "@"); found {
			digests[name] = digest
		}
	}
	return digests, nil
}

// imageName is a reference's last part, without tag.
func imageName(reference string) string {
	name, _, _ := strings.Cut(path.Base(reference), ":")
	return name
}
