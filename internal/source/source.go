// Package source gives the code of a Function and what the code needs, with
// the digests that builds are keyed by.
package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
)

// Source is a Function's code.
type Source struct {
	// Files by their path relative to the runtime's FunctionDir.
	Files map[string][]byte
	// Revision tells where the code is, in place of Files, if it is in Git.
	Revision *Revision
	// Dependencies is the manifest to install from; empty if the code needs
	// nothing, or was not fetched yet.
	Dependencies Manifest
	// Lock fixes what is installed for them, if the source has one.
	Lock Lock
}

// Manifest lists dependencies in the form that the runtime's installer reads,
// without what has no influence on what is installed: Functions which need
// the same have equal manifests.
type Manifest []byte

// MaxDependencies keeps a manifest within what one environment variable can hold.
const MaxDependencies = 100 << 10

// Inline returns the source that is written in the Function itself.
func Inline(inline *v1alpha2.InlineSource, rt runtime.Runtime) (Source, error) {
	dependencies := DependenciesText(inline, rt)
	manifest, err := manifestOf(dependencies, rt)
	if err != nil {
		return Source{}, fmt.Errorf("%w; correct spec.source.inline.dependencies", err)
	}
	return Source{
		Files: map[string][]byte{
			rt.SourceFile:       []byte(inline.Source),
			rt.DependenciesFile: []byte(dependencies),
		},
		Dependencies: manifest,
	}, nil
}

// manifestOf is what the text of a dependencies file has the installer do.
func manifestOf(text string, rt runtime.Runtime) (Manifest, error) {
	if runtime.IsPython(rt.Name) {
		return requirements(text), nil
	}
	return packageManifest([]byte(text))
}

// DependenciesText is the dependencies file's text: as the user wrote it, and
// never empty for Node.js, which would refuse an empty package.json.
func DependenciesText(inline *v1alpha2.InlineSource, rt runtime.Runtime) string {
	if runtime.IsNodeJS(rt.Name) && strings.TrimSpace(inline.Dependencies) == "" {
		return "{}"
	}
	return inline.Dependencies
}

// Digest identifies the files' content.
func (s Source) Digest() string {
	if s.Revision != nil {
		return s.Revision.digest()
	}
	hash := sha256.New()
	paths := make([]string, 0, len(s.Files))
	for path := range s.Files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		// Lengths keep one file's end from being read as another's start.
		fmt.Fprintf(hash, "%d %s %d ", len(path), path, len(s.Files[path]))
		hash.Write(s.Files[path])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// installFields are the parts of a package.json which decide what npm
// installs. Lifecycle scripts of the package itself run on install, too.
var installFields = []string{
	"bundleDependencies", "bundledDependencies", "dependencies", "optionalDependencies", "overrides",
	"peerDependencies", "peerDependenciesMeta", "workspaces", "engines", "os", "cpu",
}

var installScripts = []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"}

// needsInstall are the parts without which there is nothing to install.
var needsInstall = []string{"dependencies", "optionalDependencies", "peerDependencies", "workspaces", "scripts"}

func packageManifest(text []byte) (Manifest, error) {
	var pkg map[string]json.RawMessage
	if err := json.Unmarshal(text, &pkg); err != nil {
		return nil, fmt.Errorf("parse dependencies as package.json: %w", err)
	}
	kept := map[string]any{}
	for _, field := range installFields {
		if err := keep(kept, field, pkg[field], nil); err != nil {
			return nil, err
		}
	}
	if err := keep(kept, "scripts", pkg["scripts"], installScripts); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(needsInstall, func(field string) bool { return kept[field] != nil }) {
		return nil, nil
	}
	// encoding/json sorts the keys: the same dependencies in another order are the same manifest.
	return json.Marshal(kept)
}

// keep puts a field into kept, unless it is empty; of an object only the named keys, if any are named.
func keep(kept map[string]any, field string, raw json.RawMessage, only []string) error {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("parse %s of package.json: %w", field, err)
	}
	object, isObject := value.(map[string]any)
	if isObject && only != nil {
		for key := range object {
			if !slices.Contains(only, key) {
				delete(object, key)
			}
		}
	}
	if list, isList := value.([]any); isObject && len(object) == 0 || isList && len(list) == 0 {
		return nil
	}
	kept[field] = value
	return nil
}
