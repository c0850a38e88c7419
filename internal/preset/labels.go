package preset

import (
	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Labels of a Function that named a profile before its spec could
// (contract/functions.md 2.6).
const (
	FunctionLabel = "serverless.kyma-project.io/function-resources-preset"
	BuildLabel    = "serverless.kyma-project.io/build-resources-preset"
)

// FromLabels returns the resource configuration of a Function with the
// profiles that its labels name. What the spec says itself stays. Former is
// the Function before an update, or nil: a profile that only repeats the
// former label follows the label.
func (c Config) FromLabels(fn, former *v1alpha2.Function) *v1alpha2.ResourceConfiguration {
	if former == nil {
		former = &v1alpha2.Function{}
	}
	function, build := Asked(fn)
	formerFunction, formerBuild := Asked(former)
	function = c.Function.fromLabel(FunctionLabel, function, formerFunction, fn.Labels, former.Labels)
	build = c.BuildJob.fromLabel(BuildLabel, build, formerBuild, fn.Labels, former.Labels)
	if fn.Spec.ResourceConfiguration == nil && function == nil && build == nil {
		return nil
	}
	return &v1alpha2.ResourceConfiguration{Function: function, Build: build}
}

// Asked returns what the spec asks for the Function's Pods and for its builds;
// nil where it asks for nothing.
func Asked(fn *v1alpha2.Function) (function, build *v1alpha2.ResourceRequirements) {
	if config := fn.Spec.ResourceConfiguration; config != nil {
		return config.Function, config.Build
	}
	return nil, nil
}

func (p Profiles) fromLabel(label string, asked, former *v1alpha2.ResourceRequirements, labels, formerLabels map[string]string) *v1alpha2.ResourceRequirements {
	name, formerName := labels[label], formerLabels[label]
	if _, known := p.Resources.Presets[name]; !known {
		return asked
	}
	follows := asked != nil && former != nil && formerName != "" && asked.Profile == formerName && former.Profile == formerName
	if asked == nil || follows {
		return &v1alpha2.ResourceRequirements{Profile: name}
	}
	return asked
}
