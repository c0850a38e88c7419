package preset_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
)

const config = `
function:
  resources:
    defaultPreset: L
    minRequestCPU: 10m
    presets:
      XS: {requestCPU: 50m, requestMemory: 64Mi, limitCPU: 100m, limitMemory: 128Mi}
      L: {requestCPU: 400m, requestMemory: 512Mi, limitCPU: 800m, limitMemory: 1024Mi}
buildJob:
  resources:
    defaultPreset: normal
    presets:
      normal: {requestCPU: 500m, requestMemory: 700Mi, limitCPU: 1100m, limitMemory: 1100Mi}
`

func TestFunctionGetsTheSizeItAsksFor(t *testing.T) {
	own := &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}}
	for name, test := range map[string]struct {
		asked                   *v1alpha2.ResourceRequirements
		profile, request, limit string
	}{
		"nothing asked":            {nil, "L", "400m", "800m"},
		"a profile":                {&v1alpha2.ResourceRequirements{Profile: "XS"}, "XS", "50m", "100m"},
		"a profile that is gone":   {&v1alpha2.ResourceRequirements{Profile: "XXL"}, "L", "400m", "800m"},
		"resources of its own":     {&v1alpha2.ResourceRequirements{Resources: own}, "custom", "0", "3"},
		"an empty configuration":   {&v1alpha2.ResourceRequirements{}, "L", "400m", "800m"},
		"profile before resources": {&v1alpha2.ResourceRequirements{Profile: "XS", Resources: own}, "XS", "50m", "100m"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := preset.Parse([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			got, profile := parsed.Function.Resolve(test.asked)
			if request, limit := got.Requests.Cpu().String(), got.Limits.Cpu().String(); profile != test.profile || request != test.request || limit != test.limit {
				t.Errorf("got %s with CPU %s to %s, want %s with %s to %s", profile, request, limit, test.profile, test.request, test.limit)
			}
		})
	}
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"default that is no profile": {"defaultPreset: L", "defaultPreset: M", `function.resources.defaultPreset is "M", which is none of [L XS]`},
		"no default":                 {"defaultPreset: normal", "", `buildJob.resources.defaultPreset is "", which is none of [normal]`},
		"misspelt field":             {"minRequestCPU", "minRequestedCPU", `unknown field "minRequestedCPU"`},
		"quantity that is none":      {"50m", "many", "quantities must match"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := preset.Parse([]byte(strings.Replace(config, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %s", err, test.want)
			}
		})
	}
}
