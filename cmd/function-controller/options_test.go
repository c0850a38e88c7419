package main

import (
	"slices"
	"strings"
	"testing"
)

const profiles = `
function: {resources: {defaultPreset: XS, presets: {XS: {}}}}
buildJob: {resources: {defaultPreset: slow, presets: {slow: {}}}}
`

func TestFlagsDescribeTheInstallation(t *testing.T) {
	o, err := parseOptions([]string{
		"--builder-image=builder:1", "--runtime-image=nodejs22=node:22", "--runtime-image=nodejs24=node:24",
		"--base-namespace=serverless", "--excluded-namespaces=a,b", "--resource-config=" + profiles,
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.runtimes["nodejs22"] != "node:22" || o.runtimes["nodejs24"] != "node:24" {
		t.Errorf("runtimes %v", o.runtimes)
	}
	// The module's own namespace has the original.
	if want := []string{"a", "b", "serverless"}; !slices.Equal(o.excludedNamespaces, want) {
		t.Errorf("excluded %v, want %v", o.excludedNamespaces, want)
	}
}

func TestFlagsThatCannotWorkAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no builder":              {[]string{"--runtime-image=nodejs22=a", "--resource-config=" + profiles}, "set --builder-image"},
		"no runtime":              {[]string{"--builder-image=a:1", "--resource-config=" + profiles}, "--runtime-image"},
		"a builder of no version": {[]string{"--builder-image=a", "--runtime-image=nodejs22=a:1"}, "parse --builder-image: "},
		"a runtime of no version": {[]string{"--builder-image=a:1", "--runtime-image=nodejs22=a"}, "parse --runtime-image of nodejs22: "},
		"no profiles":             {[]string{"--builder-image=a:1", "--runtime-image=nodejs22=a:1"}, "defaultPreset"},
		"a flag that is none":     {[]string{"--bilder-image=a"}, "unknown flag"},
		"a time that is none":     {[]string{"--healthz-liveness-timeout=soon"}, "healthz-liveness-timeout"},
		"a number that is none":   {[]string{"--max-simultaneous-builds=many"}, "max-simultaneous-builds"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseOptions(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
