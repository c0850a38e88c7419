// Package build decides how a Function's image comes to be: what it is keyed
// by, and the Job that installs dependencies which were not seen before.
package build

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

// Plan names the results of a build by all that they depend on: equal inputs
// never build twice.
type Plan struct {
	// Image is the tag of the Function's image.
	Image string
	// Dependencies is the tag of the dependency layer; empty if none is needed.
	Dependencies string
	// Manifest is what to install for it, Lock what fixes that.
	Manifest source.Manifest
	Lock     source.Lock
}

// NewPlan keys the build of the source on the base. The package registry's
// configuration decides where packages come from, and so is a part of the key.
func NewPlan(src source.Source, rt runtime.Runtime, base image.Base, packageRegistry map[string][]byte) (Plan, error) {
	if len(src.Dependencies) > source.MaxDependencies {
		return Plan{}, fmt.Errorf("dependencies of %d bytes are more than the %d that a build takes; list fewer of them",
			len(src.Dependencies), source.MaxDependencies)
	}
	plan := Plan{Manifest: src.Dependencies, Lock: src.Lock}
	platform := image.Platform().String()
	if len(src.Dependencies) > 0 {
		inputs := []string{image.LayerFormat, platform, base.ABI, rt.Install, strings.Join(rt.Installed, " "),
			string(src.Dependencies), configKey(packageRegistry)}
		if src.Lock.File != "" {
			inputs = append(inputs, rt.InstallLocked, src.Lock.String())
		}
		plan.Dependencies = image.Key(inputs...)
	}
	plan.Image = image.Key(image.LayerFormat, platform, base.Digest, plan.Dependencies, src.Digest())
	return plan, nil
}

func configKey(config map[string][]byte) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		parts = append(parts, key, string(config[key]))
	}
	return image.Key(parts...)
}
