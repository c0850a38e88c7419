package main

import (
	"strings"
	"testing"
)

func TestImagesComeFromTheEnvironment(t *testing.T) {
	all := []string{
		"IMAGE_FUNCTION_CONTROLLER=c:1", "IMAGE_FUNCTION_BUILDER=b:1", "IMAGE_FUNCTION_REGISTRY=r:1", "IMAGE_FUNCTION_WEBHOOK=w:1",
		"IMAGE_FUNCTION_RUNTIME_NODEJS22=registry.test/n22:1@sha256:ab", "IMAGE_FUNCTION_RUNTIME_NODEJS24=n24:1", "PATH=/bin",
	}
	images, err := imagesFromEnvironment(all)
	if err != nil {
		t.Fatal(err)
	}
	if images.FunctionController != "c:1" || images.FunctionBuilder != "b:1" || images.FunctionRegistry != "r:1" || images.FunctionWebhook != "w:1" {
		t.Errorf("got %+v", images)
	}
	if len(images.Runtimes) != 2 || images.Runtimes["nodejs22"] != "registry.test/n22:1@sha256:ab" || images.Runtimes["nodejs24"] != "n24:1" {
		t.Errorf("runtimes %v", images.Runtimes)
	}
	for name, environment := range map[string][]string{
		"IMAGE_FUNCTION_CONTROLLER":     all[1:],
		"IMAGE_FUNCTION_REGISTRY":       append([]string{"IMAGE_FUNCTION_REGISTRY="}, append(all[:2:2], all[3:]...)...),
		"IMAGE_FUNCTION_RUNTIME_<NAME>": all[:4],
	} {
		if _, err := imagesFromEnvironment(environment); err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
