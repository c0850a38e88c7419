// Package runtime makes the base images of Functions from their descriptions,
// runtimes/*/image.yaml.
package runtime

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/sbom"
	"kyma-project.io/serverless/tools/images/internal/npm"
)

// Spec describes the images of one language's runtimes. They differ only in
// the language's version.
type Spec struct {
	// Name of the image without the runtime's version, as function-runtime-nodejs.
	Name string `json:"name"`
	// Packages of Debian that are in the image, with all that they need.
	Packages []string `json:"packages"`
	// Without are packages that others need in a system, and that an image has
	// no use for.
	Without []string `json:"without"`
	// Versions of the language, by runtime.
	Versions map[string]Version `json:"versions"`
	// Workdir is the directory of the server in the image.
	Workdir string `json:"workdir"`
	// Files and directories next to the description that are copied to Workdir.
	Files []string `json:"files"`
	// Install are shell commands, run in Workdir when the image is built. What
	// they make there is in the image.
	Install []string `json:"install"`
	// Entrypoint is the command that the image runs.
	Entrypoint []string `json:"entrypoint"`
	// Env is set in the image.
	Env map[string]string `json:"env"`
	// User that the image runs as.
	User int `json:"user"`

	dir string
}

// Version is one version of a language: Node.js with npm, or Python.
type Version struct {
	// Node is the version of Node.js.
	Node string `json:"node"`
	// NPM is the version of npm.
	NPM string `json:"npm"`
	// Python is the minor version of Python, which is a package of Debian.
	Python string `json:"python"`
}

// Software is what the version brings into an image that none of the image's
// files names: Node.js itself. Python is a package of Debian.
func (v Version) Software() []sbom.Package {
	if v.Node == "" {
		return nil
	}
	return []sbom.Package{{Type: "generic", Name: "nodejs", Version: v.Node}}
}

// pythonMinor is a version within which Python keeps its native interface and
// the format of its bytecode.
var pythonMinor = regexp.MustCompile(`^\d+\.\d+$`)

// Load reads all descriptions below the module's directory runtimes.
func Load(root string) ([]Spec, error) {
	files, err := filepath.Glob(filepath.Join(root, "runtimes", "*", "image.yaml"))
	if err != nil {
		return nil, err
	}
	specs := make([]Spec, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read runtime: %w", err)
		}
		spec, err := parse(content)
		if err != nil {
			return nil, fmt.Errorf("read runtime %s: %w", file, err)
		}
		spec.dir = filepath.Dir(file)
		specs = append(specs, spec)
	}
	return specs, nil
}

// parse reads a description. All that is wrong with it is in the error.
func parse(content []byte) (Spec, error) {
	var spec Spec
	if err := yaml.UnmarshalStrict(content, &spec); err != nil {
		return Spec{}, err
	}
	var wrong []error
	require := func(ok bool, field, want string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %s", field, want))
		}
	}
	require(spec.Name != "", "name", "is missing")
	require(len(spec.Packages) > 0, "packages", "is empty")
	require(len(spec.Versions) > 0, "versions", "is empty")
	for _, runtime := range slices.Sorted(maps.Keys(spec.Versions)) {
		version := spec.Versions[runtime]
		if version.Python != "" {
			require(pythonMinor.MatchString(version.Python), "versions."+runtime+".python", fmt.Sprintf("%q is not a minor version as 3.13", version.Python))
			require(version.Node == "" && version.NPM == "", "versions."+runtime, "is of two languages")
			continue
		}
		for field, value := range map[string]string{"node": version.Node, "npm": version.NPM} {
			require(npm.IsExact(value), "versions."+runtime+"."+field, fmt.Sprintf("%q is not an exact version as 1.2.3", value))
		}
	}
	require(path.IsAbs(spec.Workdir), "workdir", fmt.Sprintf("%q is not an absolute path", spec.Workdir))
	require(len(spec.Files) > 0, "files", "is empty")
	for i, file := range spec.Files {
		require(filepath.IsLocal(file), fmt.Sprintf("files[%d]", i), fmt.Sprintf("%q is not below the description's directory", file))
	}
	require(len(spec.Entrypoint) > 0, "entrypoint", "is empty")
	require(spec.User > 0, "user", "is missing, or root")
	return spec, errors.Join(wrong...)
}

// Image is the name of a runtime's image: that of the language with the
// runtime's version.
func (s Spec) Image(runtime string) string {
	return s.Name + strings.TrimLeft(runtime, "abcdefghijklmnopqrstuvwxyz")
}

// environment is Env in the form and order of an image's configuration.
func (s Spec) environment() []string {
	environment := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		environment = append(environment, name+"="+s.Env[name])
	}
	return environment
}
