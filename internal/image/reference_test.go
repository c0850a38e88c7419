package image_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/image"
)

func TestReferencesNameATagOrADigest(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for text, want := range map[string]string{
		"registry.test/prod/function-controller:1.2.3":            "",
		"registry.test/prod/function-controller" + digest:         "",
		"registry.test/prod/function-controller:1.2.3" + digest:   "",
		"localhost:5000/function-controller:main":                 "",
		"10.0.0.1:5000/mirror/a/b/function-controller" + digest:   "",
		"function-controller:main":                                "",
		"localhost:5000/function-controller":                      "neither a tag nor a digest",
		"registry.test/function-controller":                       "neither a tag nor a digest",
		"registry.test/function-controller:":                      "no image reference",
		"registry.test/function-controller@sha256:ab":             "no image reference",
		"registry.test/function-controller:1@md5:" + digest[8:40]: "no image reference",
		"https://registry.test/function-controller:1":             "no image reference",
		"registry.test/Function-Controller:1":                     "no image reference",
		"registry.test/function controller:1":                     "no image reference",
		" registry.test/function-controller:1":                    "begins or ends with a space",
		"":                                                        "no image reference",
	} {
		err := image.CheckReference(text)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
