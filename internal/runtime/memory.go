package runtime

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// memoryNeeded is what a runtime's server needs to load the smallest handler
// and to answer; how it was measured: docs/decisions/admission.md.
var memoryNeeded = map[string]resource.Quantity{"nodejs": resource.MustParse("64Mi")}

// MemoryNeeded is the least memory limit that the runtime starts with, if it is known.
func MemoryNeeded(name v1alpha2.Runtime) (quantity resource.Quantity, known bool) {
	quantity, known = memoryNeeded[languageName(name)]
	return quantity, known
}
