package runtime_test

import (
	"errors"
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
)

func TestRuntimeThatIsNotOfferedNamesAReplacement(t *testing.T) {
	node := runtime.Catalog{"nodejs22": "n22", "nodejs24": "n24"}
	for _, test := range []struct {
		offered runtime.Catalog
		asked   v1alpha2.Runtime
		want    string
	}{
		{node, "nodejs18", "cannot find runtime: nodejs18 is not offered by this installation; set spec.runtime to nodejs22"},
		{node, "nodejs20", "cannot find runtime: nodejs20 is not offered by this installation; set spec.runtime to nodejs22"},
		{node, "python312", "cannot find runtime: python312 is not offered by this installation, nor is any other version of python; what it offers: nodejs22, nodejs24"},
		{node, "python39", "cannot find runtime: python39 is not offered by this installation, nor is any other version of python; what it offers: nodejs22, nodejs24"},
		{runtime.Catalog{"nodejs24": "n24", "python312": "p312"}, "python38", "cannot find runtime: python38 is not offered by this installation; set spec.runtime to one of: python312"},
		{node, "cobol", "cannot find runtime: cobol is not offered by this installation, nor is any other version of cobol; what it offers: nodejs22, nodejs24"},
		{runtime.Catalog{"nodejs24": "n24"}, "nodejs12", "cannot find runtime: nodejs12 is not offered by this installation; set spec.runtime to one of: nodejs24"},
	} {
		t.Run(string(test.asked), func(t *testing.T) {
			_, err := test.offered.Lookup(test.asked, "")
			if _, isUnknown := errors.AsType[*runtime.UnknownError](err); !isUnknown || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestOverrideReplacesTheBaseImageOnly(t *testing.T) {
	catalog := runtime.Catalog{"nodejs22": "registry.local/nodejs22:1"}
	own, err := catalog.Lookup("nodejs22", "")
	if err != nil {
		t.Fatal(err)
	}
	custom, err := catalog.Lookup("nodejs22", "registry.local/custom:2")
	if err != nil {
		t.Fatal(err)
	}
	if own.Image != "registry.local/nodejs22:1" || custom.Image != "registry.local/custom:2" {
		t.Errorf("images %s and %s", own.Image, custom.Image)
	}
	if custom.SourceFile != own.SourceFile || custom.FunctionDir != own.FunctionDir || custom.Install != own.Install {
		t.Errorf("the override changed the language: %+v", custom.Language)
	}
}

func TestNameWithoutItsVersionIsTheLanguage(t *testing.T) {
	for name, want := range map[v1alpha2.Runtime]bool{"nodejs12": true, "nodejs24": true, "python312": false, "": false, "nodejs22x": false} {
		if got := runtime.IsNodeJS(name); got != want {
			t.Errorf("IsNodeJS(%q) is %v", name, got)
		}
	}
}
