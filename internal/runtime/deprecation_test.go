package runtime_test

import (
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/runtime"
)

func TestDeprecatedRuntimeNamesAReplacement(t *testing.T) {
	for name, want := range map[v1alpha2.Runtime]v1alpha2.Runtime{
		"nodejs20": "nodejs22", "python39": "python313", "nodejs22": "", "nodejs24": "", "python312": "",
	} {
		if got, is := runtime.Deprecated(name); got != want || is != (want != "") {
			t.Errorf("%s: got %q (%t), want %q", name, got, is, want)
		}
	}
}
