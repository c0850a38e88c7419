package module

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// The presets that can be chosen, by size. The chart has their resources.
var (
	BuildJobPresets   = []string{"local-dev", "slow", "normal", "fast"}
	RuntimePodPresets = []string{"XS", "S", "M", "L", "XL"}
)

// What numbers and durations look like; the chart asks for the same.
var (
	count    = regexp.MustCompile(`^[1-9][0-9]*$`)
	duration = regexp.MustCompile(`^([0-9]+|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+)$`)
)

// CheckSettings returns what is wrong with the settings that are passed on to
// the programs, all mistakes at once: a program that gets one would not start.
func CheckSettings(spec v1alpha1.ServerlessSpec) error {
	return joined(
		checkCount("targetCPUUtilizationPercentage", spec.TargetCPUUtilizationPercentage),
		checkDuration("functionRequeueDuration", spec.FunctionRequeueDuration),
		checkCount("functionBuildMaxSimultaneousJobs", spec.FunctionBuildMaxSimultaneousJobs),
		checkDuration("healthzLivenessTimeout", spec.HealthzLivenessTimeout),
		checkChoice("defaultBuildJobPreset", spec.DefaultBuildJobPreset, BuildJobPresets),
		checkChoice("defaultRuntimePodPreset", spec.DefaultRuntimePodPreset, RuntimePodPresets),
		checkChoice("logLevel", spec.LogLevel, logLevels),
		checkChoice("logFormat", spec.LogFormat, logFormats),
	)
}

// joined is all errors in one line, as a condition and an event show it.
func joined(mistakes ...error) error {
	var texts []string
	for _, mistake := range mistakes {
		if mistake != nil {
			texts = append(texts, mistake.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

func checkCount(field string, value v1alpha1.IntOrString) error {
	if value == "" {
		return nil
	}
	// The programs hold such numbers in 32 bits.
	if _, err := strconv.ParseInt(string(value), 10, 32); err != nil || !count.MatchString(string(value)) {
		return unusable(field, string(value), "a whole number from 1 to 2147483647")
	}
	return nil
}

func checkDuration(field string, value v1alpha1.IntOrString) error {
	if value == "" {
		return nil
	}
	text := string(value)
	if _, err := strconv.Atoi(text); err == nil {
		text += "s"
	}
	if _, err := time.ParseDuration(text); err != nil || !duration.MatchString(string(value)) {
		return unusable(field, string(value), "a number of seconds, or a duration with units, such as 90s, 5m or 1h30m")
	}
	return nil
}

func checkChoice(field, value string, allowed []string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return unusable(field, value, "one of "+strings.Join(allowed, ", "))
}

func unusable(field, value, allowed string) error {
	return fmt.Errorf("spec.%s is %q: use %s", field, value, allowed)
}
