package debian

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Suite is the Debian release that images are made of.
const Suite = "trixie"

// Source is where this machine gets packages of one or more suites from.
type Source struct {
	URIs   []string
	Suites []string
}

// mirror is where the packages of a release are, and those of its security
// updates.
type mirror struct {
	release  []string
	security []string
}

// findMirror picks from the sources of a machine that runs the Debian release
// codename the ones of Debian itself. Third parties' archives have other
// suites, or none of security updates.
func findMirror(sources []Source, codename string) (mirror, error) {
	var found mirror
	for _, source := range sources {
		if slices.Contains(source.Suites, codename) && found.release == nil {
			found.release = source.URIs
		}
		if slices.Contains(source.Suites, codename+"-security") && found.security == nil {
			found.security = source.URIs
		}
	}
	if found.release == nil {
		return mirror{}, fmt.Errorf("find a Debian mirror: no source of %q in /etc/apt; "+
			"build images on a Debian machine with its usual sources", codename)
	}
	return found, nil
}

// sourceList is the mirror's part for Suite, as apt reads it.
func (m mirror) sourceList(keyring string) string {
	stanza := func(uris []string, suites string) string {
		return "Types: deb\nURIs: " + strings.Join(uris, " ") + "\nSuites: " + suites +
			"\nComponents: main\nSigned-By: " + keyring + "\n\n"
	}
	list := stanza(m.release, Suite+" "+Suite+"-updates")
	if m.security != nil {
		list += stanza(m.security, Suite+"-security")
	}
	return list
}

// readSources reads all sources of the machine whose configuration is in dir.
func readSources(dir string) ([]Source, error) {
	var sources []Source
	for pattern, parse := range map[string]func(string) []Source{
		"sources.list":             parseOneLine,
		"sources.list.d/*.list":    parseOneLine,
		"sources.list.d/*.sources": parseDeb822,
	} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read apt sources: %w", err)
			}
			sources = append(sources, parse(string(content))...)
		}
	}
	return sources, nil
}

// parseOneLine reads the format of sources.list(5): deb [options] uri suite component...
func parseOneLine(content string) []Source {
	var sources []Source
	for line := range strings.Lines(content) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if fields := strings.Fields(rest); len(fields) >= 2 {
			sources = append(sources, Source{URIs: fields[:1], Suites: fields[1:2]})
		}
	}
	return sources
}

// parseDeb822 reads the format of *.sources files: stanzas of fields.
func parseDeb822(content string) []Source {
	var sources []Source
	for stanza := range strings.SplitSeq(stripComments(content), "\n\n") {
		fields := parseFields(stanza)
		if fields["enabled"] == "no" || !slices.Contains(strings.Fields(fields["types"]), "deb") {
			continue
		}
		sources = append(sources, Source{
			URIs:   strings.Fields(fields["uris"]),
			Suites: strings.Fields(fields["suites"]),
		})
	}
	return sources
}

// stripComments removes comment lines, which may be anywhere, and what makes a
// line look not empty.
func stripComments(content string) string {
	var kept strings.Builder
	for line := range strings.Lines(content) {
		if !strings.HasPrefix(line, "#") {
			kept.WriteString(strings.TrimRight(line, " \t\r\n") + "\n")
		}
	}
	return kept.String()
}

func parseFields(stanza string) map[string]string {
	fields := map[string]string{}
	var last string
	for line := range strings.Lines(stanza) {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			fields[last] += " " + strings.TrimSpace(line)
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
		}
	}
	return fields
}

// hostRelease is the codename of the Debian release of the machine whose
// os-release(5) file is at path.
func hostRelease(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("find out the Debian release: %w; build images on Debian", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if codename, ok := strings.CutPrefix(lines.Text(), "VERSION_CODENAME="); ok {
			return strings.Trim(codename, `"`), nil
		}
	}
	return "", errors.New("find out the Debian release: os-release names no VERSION_CODENAME; build images on Debian")
}
