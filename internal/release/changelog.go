// Package release checks what has to be right before a version is published,
// and sums up what was.
package release

import (
	"fmt"
	"strings"
)

// Unreleased heads what the next version brings.
const Unreleased = "Unreleased"

// Notes returns a changelog's section of a version: what is between its
// heading of the second level and the next.
func Notes(changelog, version string) (string, error) {
	var notes strings.Builder
	inside, found := false, false
	for line := range strings.Lines(changelog) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			// A date may follow the version.
			fields := strings.Fields(heading)
			inside = len(fields) > 0 && fields[0] == version
			if inside && found {
				return "", fmt.Errorf("read changelog: two sections are headed %q", version)
			}
			found = found || inside
			continue
		}
		if inside {
			notes.WriteString(line)
		}
	}
	text := strings.TrimSpace(notes.String())
	switch {
	case !found:
		return "", fmt.Errorf("read changelog: no section is headed \"## %s\"; name what %s brings there", version, version)
	case text == "":
		return "", fmt.Errorf("read changelog: the section %q is empty; say what it brings", version)
	}
	return text + "\n", nil
}
