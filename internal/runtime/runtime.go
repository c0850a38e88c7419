// Package runtime knows the runtimes: which image each stands on, where a
// Function's files go in it and how its dependencies are installed.
package runtime

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Runtime is what a Function's code runs on.
type Runtime struct {
	// Name as in spec.runtime.
	Name v1alpha2.Runtime
	// Image is the full reference of the base image.
	Image string
	// Language decides all the rest.
	Language
}

// Language is what the runtimes of one language have in common
// (contract/functions.md 6.1).
type Language struct {
	// SourceFile and DependenciesFile name the user's files in FunctionDir.
	SourceFile, DependenciesFile string
	// FunctionDir is the directory of the image that holds the user's files.
	FunctionDir string
	// Install is a shell script that installs the dependencies listed in
	// DependenciesFile of the working directory.
	Install string
	// LockFiles name files beside DependenciesFile that fix what is installed: the
	// first one that is there counts, and InstallLocked installs by it.
	LockFiles     []string
	InstallLocked string
	// Reasons is a shell script for when the one command of Install has failed:
	// it writes why to /dev/termination-log. Without it, the end of the output
	// counts. It is no part of any key.
	Reasons string
	// Installed names what Install leaves in the working directory.
	Installed []string
	// InstallEnv is set for Install.
	InstallEnv map[string]string
	// RegistryConfigFile is the key of the package registry Secret that
	// configures Install; RegistryConfigEnv is the variable which names that file.
	RegistryConfigFile, RegistryConfigEnv string
	// CertificatesEnv is the variable that names a file of more CA
	// certificates to trust on Install.
	CertificatesEnv string
	// Env is set for the Function's container.
	Env []corev1.EnvVar
}

// InstallEnvNames are the names in InstallEnv, in a fixed order.
func (l Language) InstallEnvNames() []string { return slices.Sorted(maps.Keys(l.InstallEnv)) }

// replacements names what to use in place of a runtime that is not offered any more.
var replacements = map[string]string{"nodejs": "nodejs22", "python": "python313"}

// Catalog holds the base image of each runtime that this installation offers.
type Catalog map[v1alpha2.Runtime]string

// CatalogOf returns the catalog of images by their runtime's name, as the
// programs' flags give them.
func CatalogOf(images map[string]string) Catalog {
	catalog := Catalog{}
	for name, image := range images {
		catalog[v1alpha2.Runtime(name)] = image
	}
	return catalog
}

// UnknownError says that a runtime is not offered.
type UnknownError struct {
	Runtime v1alpha2.Runtime
	Offered []v1alpha2.Runtime
}

// Error names runtimes of the same language only: code of one doesn't run on another.
func (e *UnknownError) Error() string {
	language := languageName(e.Runtime)
	var all, same []string
	for _, name := range e.Offered {
		all = append(all, string(name))
		if languageName(name) == language {
			same = append(same, string(name))
		}
	}
	message := fmt.Sprintf("cannot find runtime: %s is not offered by this installation", e.Runtime)
	switch {
	case slices.Contains(same, replacements[language]):
		return message + "; set spec.runtime to " + replacements[language]
	case len(same) > 0:
		return message + "; set spec.runtime to one of: " + strings.Join(same, ", ")
	default:
		return fmt.Sprintf("%s, nor is any other version of %s; what it offers: %s", message, language, strings.Join(all, ", "))
	}
}

// Lookup returns the runtime of the name, on the override image if it isn't
// empty. The error is an UnknownError.
func (c Catalog) Lookup(name v1alpha2.Runtime, override string) (Runtime, error) {
	image, offered := c[name]
	language, known := languages[languageName(name)]
	if !offered || !known {
		return Runtime{}, &UnknownError{Runtime: name, Offered: slices.Sorted(maps.Keys(c))}
	}
	if override != "" {
		image = override
	}
	return Runtime{Name: name, Image: image, Language: language}, nil
}

var languages = map[string]Language{"nodejs": nodejs, "python": python}

// languageName is the name without the version: nodejs22 → nodejs.
func languageName(name v1alpha2.Runtime) string {
	return strings.TrimRight(string(name), "0123456789")
}

// IsPython tells whether the runtime runs Python.
func IsPython(name v1alpha2.Runtime) bool { return languageName(name) == "python" }

// IsNodeJS tells whether the runtime runs JavaScript.
func IsNodeJS(name v1alpha2.Runtime) bool { return languageName(name) == "nodejs" }
