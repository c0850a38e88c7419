// Package preset sizes Pods and builds by named profiles (contract/functions.md 2.7).
package preset

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// Custom is the profile's name in the status of a Function that gives its resources itself.
const Custom = "custom"

// Config holds the profiles of Functions and of their builds.
type Config struct {
	Function Profiles `json:"function"`
	BuildJob Profiles `json:"buildJob"`
}

// Profiles are the sizes that can be named.
type Profiles struct {
	Resources struct {
		Presets          map[string]Profile `json:"presets"`
		DefaultPreset    string             `json:"defaultPreset"`
		MinRequestCPU    resource.Quantity  `json:"minRequestCPU"`
		MinRequestMemory resource.Quantity  `json:"minRequestMemory"`
	} `json:"resources"`
}

// Profile is one size.
type Profile struct {
	RequestCPU    resource.Quantity `json:"requestCPU"`
	RequestMemory resource.Quantity `json:"requestMemory"`
	LimitCPU      resource.Quantity `json:"limitCPU"`
	LimitMemory   resource.Quantity `json:"limitMemory"`
}

// Parse reads the profiles from YAML and checks that the defaults exist.
func Parse(text []byte) (Config, error) {
	var config Config
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return Config{}, fmt.Errorf("parse resource profiles: %w", err)
	}
	for name, profiles := range map[string]Profiles{"function": config.Function, "buildJob": config.BuildJob} {
		if _, found := profiles.Resources.Presets[profiles.Resources.DefaultPreset]; !found {
			return Config{}, fmt.Errorf("parse resource profiles: %s.resources.defaultPreset is %q, which is none of %v",
				name, profiles.Resources.DefaultPreset, slices.Sorted(maps.Keys(profiles.Resources.Presets)))
		}
	}
	return config, nil
}

// Resolve returns the resources that were asked for and the name of the
// profile used: the asked one, the default, or Custom.
func (p Profiles) Resolve(asked *v1alpha2.ResourceRequirements) (corev1.ResourceRequirements, string) {
	if asked != nil {
		if profile, found := p.Resources.Presets[asked.Profile]; found {
			return profile.requirements(), asked.Profile
		}
		if asked.Resources != nil {
			return *asked.Resources, Custom
		}
	}
	name := p.Resources.DefaultPreset
	return p.Resources.Presets[name].requirements(), name
}

func (p Profile) requirements() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: p.RequestCPU, corev1.ResourceMemory: p.RequestMemory},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: p.LimitCPU, corev1.ResourceMemory: p.LimitMemory},
	}
}
