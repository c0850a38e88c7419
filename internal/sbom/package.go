// Package sbom lists what is in an image, as SPDX documents. Equal contents
// give equal documents.
package sbom

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
)

// Package is a piece of software in an image.
type Package struct {
	// Type is that of its package URL: npm, pypi, golang, deb, generic.
	Type string `json:"type"`
	// Name is the whole one, as @scope/name.
	Name string `json:"name"`
	// Version is empty where it is not known.
	Version string `json:"version,omitempty"`
	// Architecture is that of a Debian package.
	Architecture string `json:"architecture,omitempty"`
}

// URL is the package URL.
func (p Package) URL() string {
	namespace, name := "", p.Name
	if slash := strings.LastIndex(p.Name, "/"); slash >= 0 {
		namespace, name = p.Name[:slash], p.Name[slash+1:]
	}
	var qualifiers packageurl.Qualifiers
	if p.Type == packageurl.TypeDebian {
		namespace = "debian"
		if p.Architecture != "" {
			qualifiers = packageurl.QualifiersFromMap(map[string]string{"arch": p.Architecture})
		}
	}
	return packageurl.NewPackageURL(p.Type, namespace, name, p.Version, qualifiers, "").ToString()
}

var (
	// names and versions are those that the registries take. Others come from
	// files that anybody wrote: nothing else gets into a document, and so no
	// URL with credentials does.
	names    = regexp.MustCompile(`^(@[0-9A-Za-z._~-]+/)?[0-9A-Za-z._~-]+$`)
	versions = regexp.MustCompile(`^[0-9A-Za-z.+!_~-]+$`)
)

// longest is more than any registry takes.
const longest = 214

func validName(text string) bool { return len(text) <= longest && names.MatchString(text) }

// checkedVersion is empty for what is none.
func checkedVersion(text string) string {
	if len(text) <= longest && versions.MatchString(text) {
		return text
	}
	return ""
}

// Sorted are the packages in a fixed order, each once.
func Sorted(packages []Package) []Package {
	sorted := slices.SortedFunc(slices.Values(packages), func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Architecture, b.Architecture))
	})
	return slices.Compact(sorted)
}
