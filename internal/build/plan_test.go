package build_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/build"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

// inputs are all that a build depends on.
type inputs struct {
	source, dependencies, install string
	base                          image.Base
	packages                      map[string][]byte
	lock                          source.Lock
}

func TestChangeBuildsOnlyWhatItTouches(t *testing.T) {
	for name, test := range map[string]struct {
		change              func(*inputs)
		image, dependencies bool
	}{
		"nothing": {func(*inputs) {}, false, false},
		"the source": {
			func(in *inputs) { in.source = "main = 2" }, true, false},
		"the dependencies": {
			func(in *inputs) { in.dependencies = `{"dependencies": {"ms": "3"}}` }, true, true},
		"the dependencies' layout": {
			func(in *inputs) { in.dependencies = `{"dependencies":{"ms":"2"}}` }, true, false},
		"a security update of the base": {
			func(in *inputs) { in.base.Digest = "sha256:2" }, true, false},
		"a base of another ABI": {
			func(in *inputs) { in.base = image.Base{Digest: "sha256:2", ABI: "node-24"} }, true, true},
		"the package registry": {
			func(in *inputs) { in.packages = map[string][]byte{".npmrc": []byte("registry=https://other")} }, true, true},
		"a lock file": {
			func(in *inputs) { in.lock = source.Lock{File: "package-lock.json", Digest: "1"} }, true, true},
		"how dependencies are installed": {
			func(in *inputs) { in.install = "npm ci" }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			changed := defaults()
			test.change(&changed)
			before, after := plan(t, defaults()), plan(t, changed)
			if got := before.Image != after.Image; got != test.image {
				t.Errorf("another image: %v, want %v", got, test.image)
			}
			if got := before.Dependencies != after.Dependencies; got != test.dependencies {
				t.Errorf("another dependency layer: %v, want %v", got, test.dependencies)
			}
		})
	}
}

func TestFunctionThatNeedsNothingHasNoDependencyLayer(t *testing.T) {
	in := defaults()
	in.dependencies = "{}"
	first := plan(t, in)
	in.packages = map[string][]byte{".npmrc": []byte("registry=https://other")}
	if second := plan(t, in); first.Dependencies != "" || second.Image != first.Image {
		t.Errorf("got %+v and, with another package registry, %+v", first, second)
	}
}

func TestTooManyDependenciesAreRefused(t *testing.T) {
	in := defaults()
	in.dependencies = `{"dependencies": {"ms": "` + strings.Repeat("2", 100<<10) + `"}}`
	src, rt := parse(t, in)
	_, err := build.NewPlan(src, rt, in.base, nil)
	if err == nil || !strings.Contains(err.Error(), "list fewer of them") {
		t.Errorf("got %v", err)
	}
}

// While the key stays, no registry is asked: it must change with whatever the image depends on.
func TestInputsKeyChangesWithTheImage(t *testing.T) {
	request := func(in inputs, base, registry string) string {
		src, rt := parse(t, in)
		rt.Image = base
		return build.Request{Source: src, Runtime: rt, PackageRegistry: in.packages, Registry: at(t, registry)}.InputsKey()
	}
	first := request(defaults(), "base:1", "r1")
	if request(defaults(), "base:1", "r1") != first {
		t.Error("the key differs from call to call")
	}
	for name, change := range map[string]func(*inputs){
		"source":       func(in *inputs) { in.source = "main = 2" },
		"dependencies": func(in *inputs) { in.dependencies = `{"dependencies": {"ms": "3"}}` },
		"packages":     func(in *inputs) { in.packages = nil },
	} {
		in := defaults()
		change(&in)
		if request(in, "base:1", "r1") == first {
			t.Errorf("other %s, same key", name)
		}
	}
	if request(defaults(), "base:2", "r1") == first {
		t.Error("other base, same key")
	}
	if request(defaults(), "base:1", "r2") == first {
		t.Error("other registry, same key")
	}
}

func at(t *testing.T, address string) *image.Registry {
	t.Helper()
	registry, err := image.NewRegistry(image.Location{Push: address, Pull: address})
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func defaults() inputs {
	return inputs{
		source: "main = 1", dependencies: `{"dependencies": {"ms": "2"}}`, install: "npm install",
		base:     image.Base{Digest: "sha256:1", ABI: "node-22"},
		packages: map[string][]byte{".npmrc": []byte("registry=https://first"), "ca.crt": []byte("x")},
	}
}

func plan(t *testing.T, in inputs) build.Plan {
	t.Helper()
	src, rt := parse(t, in)
	plan, err := build.NewPlan(src, rt, in.base, in.packages)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func parse(t *testing.T, in inputs) (source.Source, runtime.Runtime) {
	t.Helper()
	rt := nodejs22(t)
	rt.Install = in.install
	src, err := source.Inline(&v1alpha2.InlineSource{Source: in.source, Dependencies: in.dependencies}, rt)
	if err != nil {
		t.Fatal(err)
	}
	src.Lock = in.lock
	return src, rt
}

func nodejs22(t *testing.T) runtime.Runtime {
	t.Helper()
	rt, err := runtime.Catalog{"nodejs22": "releases.local/nodejs22:1"}.Lookup("nodejs22", "")
	if err != nil {
		t.Fatal(err)
	}
	return rt
}
