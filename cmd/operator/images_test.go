package main

import (
	"slices"
	"strings"
	"testing"
)

var digest = "@sha256:" + strings.Repeat("a", 64)

var everything = []string{
	"IMAGE_FUNCTION_CONTROLLER=c:1", "IMAGE_FUNCTION_BUILDER=b:1", "IMAGE_FUNCTION_REGISTRY=r" + digest, "IMAGE_FUNCTION_WEBHOOK=w:1",
	"IMAGE_FUNCTION_RUNTIME_NODEJS22=registry.test/n22:1" + digest, "IMAGE_FUNCTION_RUNTIME_NODEJS24=n24:1", "PATH=/bin",
}

func TestImagesComeFromTheEnvironment(t *testing.T) {
	images, err := imagesFromEnvironment(everything)
	if err != nil {
		t.Fatal(err)
	}
	if images.FunctionController != "c:1" || images.FunctionBuilder != "b:1" || images.FunctionRegistry != "r"+digest || images.FunctionWebhook != "w:1" {
		t.Errorf("got %+v", images)
	}
	if len(images.Runtimes) != 2 || images.Runtimes["nodejs22"] != "registry.test/n22:1"+digest || images.Runtimes["nodejs24"] != "n24:1" {
		t.Errorf("runtimes %v", images.Runtimes)
	}
	if images.PullSecret != "" || images.FIPS {
		t.Errorf("pull secret %q, FIPS %t", images.PullSecret, images.FIPS)
	}
}

func TestImagesThatAreMissingAreNamed(t *testing.T) {
	for name, environment := range map[string][]string{
		"IMAGE_FUNCTION_CONTROLLER":     everything[1:],
		"IMAGE_FUNCTION_REGISTRY":       slices.Concat(everything, []string{"IMAGE_FUNCTION_REGISTRY="}),
		"IMAGE_FUNCTION_RUNTIME_<NAME>": everything[:4],
	} {
		if _, err := imagesFromEnvironment(environment); err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestReferencesThatAreNoneAreNamed(t *testing.T) {
	for variable, want := range map[string]string{
		"IMAGE_FUNCTION_BUILDER=registry.test/builder":             `IMAGE_FUNCTION_BUILDER: "registry.test/builder" names neither`,
		"IMAGE_FUNCTION_WEBHOOK=https://registry.test/webhook:1":   `IMAGE_FUNCTION_WEBHOOK: "https://registry.test/webhook:1" is no image reference`,
		"IMAGE_FUNCTION_RUNTIME_NODEJS22=n22:1@sha256:ab":          `IMAGE_FUNCTION_RUNTIME_NODEJS22: "n22:1@sha256:ab" is no image reference`,
		"IMAGE_FUNCTION_RUNTIME_NODEJS22_FIPS=n22 KYMA_FIPS=false": "",
	} {
		_, err := imagesFromEnvironment(slices.Concat(everything, []string{variable}))
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", variable, err, want)
		}
	}
}

func TestFIPSModeTakesItsImagesWhereThereAreAny(t *testing.T) {
	environment := slices.Concat(everything, []string{
		"IMAGE_FUNCTION_CONTROLLER_FIPS=c-fips:1", "IMAGE_FUNCTION_RUNTIME_NODEJS22_FIPS=n22-fips:1", "IMAGE_FUNCTION_RUNTIME_PYTHON313_FIPS=p-fips:1",
	})
	for mode, want := range map[string]string{"": "c:1 n22 2", "false": "c:1 n22 2", "true": "c-fips:1 n22-fips 3"} {
		images, err := imagesFromEnvironment(slices.Concat(environment, []string{"KYMA_FIPS_MODE_ENABLED=" + mode}))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(want)
		if images.FunctionController != fields[0] || !strings.Contains(images.Runtimes["nodejs22"], fields[1]+":1") || len(images.Runtimes) != int(fields[2][0]-'0') {
			t.Errorf("mode %q: %+v, want %s", mode, images, want)
		}
		if images.FIPS != (mode == "true") || images.Runtimes["nodejs24"] != "n24:1" || images.FunctionBuilder != "b:1" {
			t.Errorf("mode %q: %+v", mode, images)
		}
	}
}

func TestPullSecretComesFromTheLifecycleManager(t *testing.T) {
	images, err := imagesFromEnvironment(slices.Concat(everything, []string{"SKR_IMG_PULL_SECRET=market"}))
	if err != nil || images.PullSecret != "market" {
		t.Errorf("%q, %v", images.PullSecret, err)
	}
}
