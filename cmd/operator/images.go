package main

import (
	"fmt"
	"strings"

	"kyma-project.io/serverless/internal/module"
)

// runtimePrefix begins the name of the variable with a runtime's image; what
// follows is the runtime's name in upper case.
const runtimePrefix = "IMAGE_FUNCTION_RUNTIME_"

// imagesFromEnvironment reads the images of the module. They are in the
// operator's environment and nowhere else, because that is where Kyma replaces
// image references for markets with a registry of their own.
func imagesFromEnvironment(environment []string) (module.Images, error) {
	images := module.Images{Runtimes: map[string]string{}}
	required := map[string]*string{
		"IMAGE_FUNCTION_CONTROLLER": &images.FunctionController,
		"IMAGE_FUNCTION_BUILDER":    &images.FunctionBuilder,
		"IMAGE_FUNCTION_REGISTRY":   &images.FunctionRegistry,
		"IMAGE_FUNCTION_WEBHOOK":    &images.FunctionWebhook,
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if target := required[name]; target != nil {
			*target = value
		}
		if runtime, found := strings.CutPrefix(name, runtimePrefix); found && value != "" {
			images.Runtimes[strings.ToLower(runtime)] = value
		}
	}
	for name, target := range required {
		if *target == "" {
			return module.Images{}, notSet(name)
		}
	}
	if len(images.Runtimes) == 0 {
		return module.Images{}, notSet(runtimePrefix + "<NAME>")
	}
	return images, nil
}

func notSet(name string) error {
	return fmt.Errorf("read environment: %s is not set: set it to a full image reference in the operator's Deployment", name)
}
