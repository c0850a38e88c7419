package debian

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// keyring has the keys of Debian's archive.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// certificates is installed without what it depends on: that is there for its
// maintainer script, whose work is done here.
const certificates = "ca-certificates"

// Archive is Debian's archive for one architecture, as apt sees it through a
// state of its own: nothing of this machine's packages counts.
type Archive struct {
	images  *store.Store
	arch    string
	sources string
	since   time.Time
}

// Package is one version of a package.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (p Package) String() string { return p.Name + "=" + p.Version }

// OpenArchive returns the archive for a Go architecture, on the mirror that
// this machine uses. What was looked up there before since is looked up again.
func OpenArchive(images *store.Store, goarch string, since time.Time) (*Archive, error) {
	// These are called the same in Go and in Debian.
	if !slices.Contains([]string{"amd64", "arm64"}, goarch) {
		return nil, fmt.Errorf("open Debian archive: architecture %q is not supported; use amd64 or arm64", goarch)
	}
	if _, err := os.Stat(keyring); err != nil {
		return nil, fmt.Errorf("open Debian archive: %w; `apt-get install debian-archive-keyring`", err)
	}
	codename, err := hostRelease("/etc/os-release")
	if err != nil {
		return nil, err
	}
	sources, err := readSources("/etc/apt")
	if err != nil {
		return nil, err
	}
	mirror, err := findMirror(sources, codename)
	if err != nil {
		return nil, err
	}
	return &Archive{images: images, arch: goarch, sources: mirror.sourceList(keyring), since: since}, nil
}

// Resolve returns the packages called names and all that they need, sorted.
func (a *Archive) Resolve(ctx context.Context, names []string) ([]Package, error) {
	key := store.Key(append([]string{a.sources, a.arch}, names...)...)
	path, err := a.images.Fresh(ctx, "resolutions", key, a.since, func(path string) error {
		packages, err := a.resolve(ctx, names)
		if err != nil {
			return fmt.Errorf("resolve Debian packages %s: %w", strings.Join(names, ", "), err)
		}
		content, err := json.Marshal(packages)
		if err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	})
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var packages []Package
	return packages, json.Unmarshal(content, &packages)
}

func (a *Archive) resolve(ctx context.Context, names []string) ([]Package, error) {
	apt, unlock, err := a.apt(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := a.update(ctx, apt); err != nil {
		return nil, err
	}

	var packages []Package
	if others := slices.DeleteFunc(slices.Clone(names), isCertificates); len(others) > 0 {
		plan, err := apt(append([]string{"install", "--simulate"}, others...)...).Output(ctx)
		if err != nil {
			return nil, err
		}
		packages = parsePlan(plan)
	}
	if slices.ContainsFunc(names, isCertificates) {
		plan, err := apt("install", "--simulate", certificates).Output(ctx)
		if err != nil {
			return nil, err
		}
		packages = append(packages, slices.DeleteFunc(parsePlan(plan), func(p Package) bool {
			return !isCertificates(p.Name)
		})...)
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	return packages, nil
}

// update fetches the lists of packages, once for however many resolutions. That
// it has is kept as an entry; the lists are in apt's state.
func (a *Archive) update(ctx context.Context, apt aptGet) error {
	_, err := a.images.Fresh(ctx, "updates", store.Key(a.sources, a.arch), a.since, func(path string) error {
		if err := apt("update", "--error-on=any").Run(ctx); err != nil {
			return err
		}
		return os.WriteFile(path, nil, 0o644)
	})
	return err
}

func isCertificates(name string) bool { return name == certificates }

// Download returns the paths of the packages' files, verified by apt.
func (a *Archive) Download(ctx context.Context, packages []Package) ([]string, error) {
	specs := make([]string, 0, len(packages))
	for _, p := range packages {
		specs = append(specs, p.String())
	}
	dir, err := a.images.Entry(ctx, "debs", store.Key(append([]string{a.arch}, specs...)...), func(dir string) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		apt, unlock, err := a.apt(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		download := apt(append([]string{"download"}, specs...)...)
		download.Dir = dir
		return download.Run(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("download Debian packages: %w; if a version is gone from the mirror, build with --refresh", err)
	}
	return filepath.Glob(filepath.Join(dir, "*.deb")) // sorted
}

// aptGet makes apt-get commands that work on an archive's own state.
type aptGet func(args ...string) hosttool.Command

// apt returns a maker of commands, with the state locked against other
// processes until unlock is called.
func (a *Archive) apt(ctx context.Context) (command aptGet, unlock func(), err error) {
	key := store.Key(a.sources, a.arch)
	dir, err := a.images.Dir("apt", key)
	if err != nil {
		return nil, nil, err
	}
	if unlock, err = a.images.Lock(ctx, "apt-"+key); err != nil {
		return nil, nil, err
	}
	list, status := filepath.Join(dir, "debian.sources"), filepath.Join(dir, "status")
	for _, part := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, part), 0o755)
		}
	}
	for path, content := range map[string]string{list: a.sources, status: ""} {
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
	}
	if err != nil {
		unlock()
		return nil, nil, fmt.Errorf("prepare apt: %w", err)
	}

	options := a.options(dir, list, status)
	return func(args ...string) hosttool.Command {
		return hosttool.Command{Name: "apt-get", Args: append(slices.Clone(options), args...), Env: []string{"LC_ALL=C"}}
	}, unlock, nil
}

// options turn apt away from this machine's packages and configuration of
// sources, to the archive's; its proxies and credentials stay as they are.
func (a *Archive) options(dir, list, status string) []string {
	options := []string{"--quiet=2", "--yes", "--no-install-recommends"}
	for _, option := range []string{
		"Dir::State=" + filepath.Join(dir, "state"),
		"Dir::State::status=" + status,
		"Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::Etc::sourcelist=" + list,
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::Etc::preferences=/dev/null",
		"Dir::Etc::preferencesparts=/dev/null",
		"APT::Architecture=" + a.arch,
		"APT::Architectures=" + a.arch,
		"APT::Sandbox::User=root", // its usual user can't write to a home directory
		"Acquire::Languages=none",
		"Acquire::Retries=3",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"Debug::NoLocking=true", // for the machine's locks; ours is held
	} {
		options = append(options, "--option="+option)
	}
	return options
}

// planned is a line of a simulated installation: Inst name (version archive [arch]).
var planned = regexp.MustCompile(`^Inst (\S+) \((\S+) `)

func parsePlan(plan []byte) []Package {
	var packages []Package
	for lines := bufio.NewScanner(bytes.NewReader(plan)); lines.Scan(); {
		if match := planned.FindStringSubmatch(lines.Text()); match != nil {
			packages = append(packages, Package{Name: match[1], Version: match[2]})
		}
	}
	return packages
}
