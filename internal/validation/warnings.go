package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
)

// Warnings returns what the user of a Function should change although it is
// accepted. Clients cut longer ones off after 256 characters.
func Warnings(fn *v1alpha2.Function, profiles preset.Config, runtimes runtime.Catalog) []string {
	warnings := runtimeWarnings(fn.Spec.Runtime, runtimes)
	warnings = append(warnings, memoryWarnings(fn, profiles.Function)...)
	function, build := preset.Asked(fn)
	warnings = append(warnings, labelWarnings(fn, preset.FunctionLabel, "function", function, profiles.Function)...)
	return append(warnings, labelWarnings(fn, preset.BuildLabel, "build", build, profiles.BuildJob)...)
}

func runtimeWarnings(name v1alpha2.Runtime, runtimes runtime.Catalog) []string {
	if _, err := runtimes.Lookup(name, ""); err != nil {
		return []string{"spec.runtime: " + err.Error()}
	}
	if replacement, deprecated := runtime.Deprecated(name); deprecated {
		return []string{fmt.Sprintf("spec.runtime: %s is deprecated and gets no security fixes; set spec.runtime to %s", name, replacement)}
	}
	return nil
}

func memoryWarnings(fn *v1alpha2.Function, profiles preset.Profiles) []string {
	asked, _ := preset.Asked(fn)
	resources, _ := profiles.Resolve(asked)
	limit := resources.Limits[corev1.ResourceMemory]
	needed, known := runtime.MemoryNeeded(fn.Spec.Runtime)
	if !known || limit.IsZero() || limit.Cmp(needed) >= 0 {
		return nil
	}
	return []string{fmt.Sprintf("spec.resourceConfiguration.function: limits memory(%s) is less than the %s that %s needs; raise the limit",
		&limit, &needed, fn.Spec.Runtime)}
}

// labelWarnings are about a label that named a profile before the spec could.
func labelWarnings(fn *v1alpha2.Function, label, field string, asked *v1alpha2.ResourceRequirements, profiles preset.Profiles) []string {
	name, labelled := fn.Labels[label]
	if !labelled {
		return nil
	}
	_, known := profiles.Resources.Presets[name]
	field = "spec.resourceConfiguration." + field
	switch {
	case known && (asked == nil || asked.Profile == name):
		return []string{fmt.Sprintf("label %s is deprecated: set %s.profile to %s", label, field, name)}
	case known:
		return []string{fmt.Sprintf("label %s is ignored: %s decides", label, field)}
	default:
		return []string{fmt.Sprintf("label %s is ignored: %q is no profile; set %s.profile to one of: %s",
			label, name, field, strings.Join(slices.Sorted(maps.Keys(profiles.Resources.Presets)), ", "))}
	}
}
