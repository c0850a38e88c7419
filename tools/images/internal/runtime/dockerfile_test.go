package runtime

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A Dockerfile can't be built where there is no Docker, but it can't lag behind either.
func TestDockerfileOfPythonHasWhatTheImageHas(t *testing.T) {
	const root = "../../../.."
	specs, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == "function-runtime-python" })
	if at < 0 {
		t.Fatal("there is no description of the Python runtime")
	}
	spec := specs[at]
	text, err := os.ReadFile(root + "/runtimes/python/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var installed []string
	for _, found := range regexp.MustCompile(`(?m)^        ([a-z0-9+.-]+) \\$`).FindAllStringSubmatch(string(text), -1) {
		installed = append(installed, found[1])
	}
	// Any Debian base has these.
	wanted := slices.DeleteFunc(slices.Clone(spec.Packages), func(name string) bool {
		return slices.Contains([]string{"base-files", "dash", "libc6", "libgcc-s1"}, name)
	})
	if !slices.Equal(installed, wanted) {
		t.Errorf("it installs %v, want %v", installed, wanted)
	}
	for _, want := range append(append([]string{"ARG BASE_IMAGE", "FROM ${BASE_IMAGE}", "WORKDIR " + spec.Workdir, "USER 1000",
		`ENTRYPOINT ["` + strings.Join(spec.Entrypoint, `", "`) + `"]`}, spec.Files...), spec.environment()[1:]...) {
		if !strings.Contains(strings.ReplaceAll(string(text), `"1"`, "1"), want) {
			t.Errorf("it has no %s", want)
		}
	}
}
