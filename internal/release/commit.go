package release

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// CheckCommit tells why a directory's HEAD can't be released as a version:
// there are changes that are not committed, or it has not the version's tag.
func CheckCommit(ctx context.Context, directory, version string) error {
	changes, err := git(ctx, directory, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changes != "" {
		return fmt.Errorf("release %s: there are changes that are not committed:\n%s", version, changes)
	}
	tags, err := git(ctx, directory, "tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(tags), version) {
		return fmt.Errorf("release %s: HEAD does not have that tag; run git tag %s, or check the tag out", version, version)
	}
	return nil
}

func git(ctx context.Context, directory string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = directory
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output)), nil
}
