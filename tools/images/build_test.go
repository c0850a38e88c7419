package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/tools/images/internal/store"
)

func TestNamesChooseImages(t *testing.T) {
	all := &builds{all: []target{{name: "operator", group: programs}, {name: "registry", group: programs}, {name: "nodejs22", group: runtimes}}}
	for _, test := range []struct {
		names string
		want  string
	}{
		{"", "operator registry nodejs22"},
		{"registry", "registry"},
		{"runtimes registry", "registry nodejs22"},
		{"programs operator", "operator registry"},
	} {
		chosen, err := all.targets(strings.Fields(test.names))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join((&builds{all: chosen}).names(), " "); got != test.want {
			t.Errorf("%q chooses %s, want %s", test.names, got, test.want)
		}
	}
	if _, err := all.targets([]string{"registry", "registri"}); err == nil || !strings.Contains(err.Error(), `"registri"`) {
		t.Errorf("got %v, want an error that names what there is none of", err)
	}
}

func TestImagesOfThisModule(t *testing.T) {
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all, err := newBuilds(t.Context(), images, []string{"linux/amd64", "linux/arm64"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(slices.Values(all.names())); !slices.Equal(names, manifestImages(t)) {
		t.Errorf("%v are built, %v are in the operator's manifest", names, manifestImages(t))
	}
	for _, platform := range []string{"", "linux", "windows/amd64", "linux/amd64/v1/x"} {
		if _, err := newBuilds(t.Context(), images, []string{platform}, time.Now()); err == nil || !strings.Contains(err.Error(), "linux/amd64") {
			t.Errorf("platform %q: got %v, want an error with an example", platform, err)
		}
	}
}

// manifestImages are the names of the images that the operator's manifest has.
func manifestImages(t *testing.T) []string {
	t.Helper()
	text, err := manifest.Render(manifest.Options{Config: "../../config/default", Registry: "registry.test", Tag: "1"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := manifest.Workloads(objects)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, image := range manifest.Images(workloads) {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(image, "registry.test/"), ":1"))
	}
	return names
}

func TestPlaceForImagesIsNeeded(t *testing.T) {
	for _, args := range [][3]string{{"", "", ""}, {"host", "dir", ""}, {"host", "", "dir"}, {"", "dir", "dir"}} {
		if _, err := newPublisher(args[0], args[1], args[2], "dev"); err == nil || !strings.Contains(err.Error(), "--registry") {
			t.Errorf("%v: got %v, want an error that names the flags", args, err)
		}
	}
}
