package runtime

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// memoryNeeded is with how little memory a runtime's server still answers
// twenty calls at once with the smallest handler, and some room for Python.
// How that was measured: docs/decisions/admission.md.
var memoryNeeded = map[string]resource.Quantity{
	"nodejs": resource.MustParse("48Mi"),
	"python": resource.MustParse("48Mi"),
}

// MemoryNeeded is the least memory limit that is of use for the runtime, if it is known.
func MemoryNeeded(name v1alpha2.Runtime) (quantity resource.Quantity, known bool) {
	quantity, known = memoryNeeded[languageName(name)]
	return quantity, known
}
