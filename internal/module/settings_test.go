package module_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/preset"
)

func TestSettingsAreWrittenAsNumbersOrStrings(t *testing.T) {
	for text, want := range map[string]v1alpha1.IntOrString{
		`50`: "50", `"50"`: "50", `"1m30s"`: "1m30s", `-1`: "-1", `99999999999999999999`: "99999999999999999999", `null`: "",
	} {
		var spec v1alpha1.ServerlessSpec
		if err := json.Unmarshal([]byte(`{"targetCPUUtilizationPercentage": `+text+`}`), &spec); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if spec.TargetCPUUtilizationPercentage != want {
			t.Errorf("%s is read as %q, want %q", text, spec.TargetCPUUtilizationPercentage, want)
		}
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	const (
		numbers   = "use a whole number from 1 to 2147483647"
		durations = "use a number of seconds, or a duration with units, such as 90s, 5m or 1h30m"
	)
	for name, test := range map[string]struct {
		spec v1alpha1.ServerlessSpec
		want string
	}{
		"none": {v1alpha1.ServerlessSpec{}, ""},
		"all that can work": {v1alpha1.ServerlessSpec{
			TargetCPUUtilizationPercentage: "120", FunctionRequeueDuration: "90", FunctionBuildMaxSimultaneousJobs: "1",
			HealthzLivenessTimeout: "1h1.5s", DefaultBuildJobPreset: "local-dev", DefaultRuntimePodPreset: "XL",
			LogLevel: "fatal", LogFormat: "text",
		}, ""},
		"no number":        {v1alpha1.ServerlessSpec{TargetCPUUtilizationPercentage: "half"}, `spec.targetCPUUtilizationPercentage is "half": ` + numbers},
		"nothing at once":  {v1alpha1.ServerlessSpec{FunctionBuildMaxSimultaneousJobs: "0"}, `spec.functionBuildMaxSimultaneousJobs is "0": ` + numbers},
		"too large":        {v1alpha1.ServerlessSpec{FunctionBuildMaxSimultaneousJobs: "2147483648"}, `spec.functionBuildMaxSimultaneousJobs is "2147483648": ` + numbers},
		"a number in text": {v1alpha1.ServerlessSpec{TargetCPUUtilizationPercentage: "50%"}, `spec.targetCPUUtilizationPercentage is "50%": ` + numbers},
		"negative":         {v1alpha1.ServerlessSpec{HealthzLivenessTimeout: "-10s"}, `spec.healthzLivenessTimeout is "-10s": ` + durations},
		"no duration":      {v1alpha1.ServerlessSpec{FunctionRequeueDuration: "5 minutes"}, `spec.functionRequeueDuration is "5 minutes": ` + durations},
		"too long":         {v1alpha1.ServerlessSpec{FunctionRequeueDuration: "9999999999999"}, `spec.functionRequeueDuration is "9999999999999": ` + durations},
		"no log": {v1alpha1.ServerlessSpec{LogLevel: "loud", LogFormat: "xml"},
			`spec.logLevel is "loud": use one of debug, info, warn, error, fatal; spec.logFormat is "xml": use one of json, console, text`},
		"two unknown presets": {v1alpha1.ServerlessSpec{DefaultBuildJobPreset: "XS", DefaultRuntimePodPreset: "XXL"},
			`spec.defaultBuildJobPreset is "XS": use one of local-dev, slow, normal, fast; ` +
				`spec.defaultRuntimePodPreset is "XXL": use one of XS, S, M, L, XL`},
	} {
		t.Run(name, func(t *testing.T) {
			err := module.CheckSettings(test.spec)
			if got := message(err); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestPresetsAreTheCharts(t *testing.T) {
	text, err := fs.ReadFile(charts.Serverless, "serverless/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Global struct {
			ResourceConfig preset.Config `json:"resourceConfig"`
		} `json:"global"`
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []struct {
		has  preset.Profiles
		want []string
	}{
		{values.Global.ResourceConfig.Function, module.RuntimePodPresets},
		{values.Global.ResourceConfig.BuildJob, module.BuildJobPresets},
	} {
		if got := slices.Sorted(maps.Keys(kind.has.Resources.Presets)); !slices.Equal(got, slices.Sorted(slices.Values(kind.want))) {
			t.Errorf("the chart has %v, want %v", got, kind.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
