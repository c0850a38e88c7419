// Package repository names the repositories of the Functions' registry, and
// tells whose a name is.
package repository

import "strings"

// Runtimes holds the copies of the runtimes' base images.
const Runtimes = "runtimes"

const (
	functionSeparator  = "__"
	dependenciesSuffix = ".dependencies"
)

// Function is the repository of a Function's images. A namespace's name has no
// underscore, so no two Functions share one; and no path, because some
// registries allow none below the user's own.
func Function(namespace, name string) string { return namespace + functionSeparator + name }

// Dependencies is the repository of the layers which the Functions of a
// namespace share: its cache. A Function's name has no dot, so the repository
// is never a Function's.
func Dependencies(namespace string) string { return namespace + dependenciesSuffix }

// IsOf tells whether the repository is a Function's of the namespace, or its cache.
func IsOf(repository, namespace string) bool {
	return repository == Dependencies(namespace) || strings.HasPrefix(repository, Function(namespace, ""))
}

// IsFormerOf tells whether the repository may be one that the original module
// made for a Function of the namespace (contract/functions.md 3.4). Its names
// don't tell the namespace a from a-b.
func IsFormerOf(repository, namespace string) bool {
	return strings.HasPrefix(repository, namespace+"-") && !strings.ContainsAny(repository, "_./")
}

// Kind says what a repository is for.
type Kind int

const (
	// Unknown is not one of ours.
	Unknown Kind = iota
	// Functions is a Function's.
	Functions
	// Shared holds what Functions share: runtimes' bases, or a namespace's layers.
	Shared
)

// KindOf tells what the repository of the name is for.
func KindOf(name string) Kind {
	if strings.Contains(name, "/") {
		return Unknown
	}
	namespace, function, found := strings.Cut(name, functionSeparator)
	of, isCache := strings.CutSuffix(name, dependenciesSuffix)
	switch {
	case found && namespace != "" && function != "" && !strings.ContainsAny(namespace+function, "._"):
		return Functions
	case name == Runtimes, isCache && of != "" && !strings.ContainsAny(of, "._"):
		return Shared
	default:
		return Unknown
	}
}
