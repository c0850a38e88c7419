// Package scanconfig writes sec-scanners-config.yaml, which tells Kyma's
// security scanners what to look at (contract section 3).
package scanconfig

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

const header = `# What Kyma's security scanners look at. Generated from the images of the
# operator's manifest: run make module-scan-config after a change of those.
`

// file has the fields in alphabetical order, as they are written.
type file struct {
	ModuleName string   `json:"module-name"`
	Kind       string   `json:"kind"`
	Images     []string `json:"bdba"`
	Mend       mend     `json:"mend"`
	Checkmarx  checks   `json:"checkmarx-one"`
}

type mend struct {
	Language string   `json:"language"`
	Exclude  []string `json:"exclude"`
}

type checks struct {
	Preset  string   `json:"preset"`
	Exclude []string `json:"exclude"`
}

// tests are not part of what is shipped.
var tests = []string{"**/tests/**", "**/*_test.go", "**/testdata/**"}

// Text is the file for a module with these images.
func Text(module string, images []string) ([]byte, error) {
	text, err := yaml.Marshal(file{
		ModuleName: module, Kind: "kyma", Images: images,
		Mend:      mend{Language: "golang-mod", Exclude: tests},
		Checkmarx: checks{Preset: "go-default", Exclude: tests},
	})
	if err != nil {
		return nil, fmt.Errorf("write scanners' configuration: %w", err)
	}
	return append([]byte(header), text...), nil
}
