package main

import (
	"strings"
	"testing"
)

const profiles = `
function: {resources: {defaultPreset: XS, presets: {XS: {}}}}
buildJob: {resources: {defaultPreset: slow, presets: {slow: {}}}}
`

func TestFlagsDescribeTheInstallation(t *testing.T) {
	o, err := parseOptions([]string{"--runtime-image=nodejs22=node:22", "--namespace=serverless", "--resource-config=" + profiles})
	if err != nil {
		t.Fatal(err)
	}
	if o.rules.Runtimes["nodejs22"] != "node:22" || o.rules.Profiles.Function.Resources.DefaultPreset != "XS" {
		t.Errorf("rules %v", o.rules)
	}
	if want := "serverless-webhook.serverless.svc"; o.name() != want {
		t.Errorf("name %s, want %s", o.name(), want)
	}
}

func TestFlagsThatCannotWorkAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no runtime":          {[]string{"--resource-config=" + profiles}, "set at least one --runtime-image"},
		"no profiles":         {[]string{"--runtime-image=nodejs22=a"}, "defaultPreset"},
		"a flag that is none": {[]string{"--prot=1"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseOptions(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
