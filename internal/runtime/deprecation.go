package runtime

import (
	"slices"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// deprecated are runtimes whose language version gets no security fixes any
// more (contract/functions.md 2.2). They run for as long as they are offered.
var deprecated = []v1alpha2.Runtime{
	"nodejs12", "nodejs14", "nodejs16", "nodejs18", "nodejs20", "python38", "python39",
}

// Deprecated tells whether a runtime should not be used any more, and what to
// use in its place.
func Deprecated(name v1alpha2.Runtime) (replacement v1alpha2.Runtime, is bool) {
	if !slices.Contains(deprecated, name) {
		return "", false
	}
	return v1alpha2.Runtime(replacements[languageName(name)]), true
}
