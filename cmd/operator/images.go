package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kyma-project.io/serverless/internal/fips"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/module"
)

const (
	// runtimePrefix begins the name of the variable with a runtime's image; what
	// follows is the runtime's name in upper case.
	runtimePrefix = "IMAGE_FUNCTION_RUNTIME_"
	// fipsSuffix ends the name of a variable with the image for FIPS mode.
	fipsSuffix = "_FIPS"
	// pullSecretVariable names the Secret to pull the images with. Kyma's
	// lifecycle-manager sets it, and fails if the manifest has done so already.
	pullSecretVariable = "SKR_IMG_PULL_SECRET"
)

// imagesFromEnvironment reads the images of the module. They are in the
// operator's environment and nowhere else, because that is where Kyma replaces
// image references for markets with a registry of their own.
func imagesFromEnvironment(environment []string) (module.Images, error) {
	variables := map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}
	images := module.Images{
		Runtimes:   map[string]string{},
		PullSecret: variables[pullSecretVariable],
		FIPS:       variables[fips.Variable] == "true",
	}
	required := map[string]*string{
		"IMAGE_FUNCTION_CONTROLLER": &images.FunctionController,
		"IMAGE_FUNCTION_BUILDER":    &images.FunctionBuilder,
		"IMAGE_FUNCTION_REGISTRY":   &images.FunctionRegistry,
		"IMAGE_FUNCTION_WEBHOOK":    &images.FunctionWebhook,
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		var err error
		if *required[name], err = chosen(variables, name, images.FIPS); err != nil {
			return module.Images{}, err
		}
		if *required[name] == "" {
			return module.Images{}, notSet(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		name = strings.TrimSuffix(name, fipsSuffix)
		runtime, found := strings.CutPrefix(name, runtimePrefix)
		if !found {
			continue
		}
		reference, err := chosen(variables, name, images.FIPS)
		if err != nil {
			return module.Images{}, err
		}
		if reference != "" {
			images.Runtimes[strings.ToLower(runtime)] = reference
		}
	}
	if len(images.Runtimes) == 0 {
		return module.Images{}, notSet(runtimePrefix + "<NAME>")
	}
	return images, nil
}

// chosen returns the image that the variable names; in FIPS mode the one made
// for that, if there is one. The module's own programs need none: their image
// can do both.
func chosen(variables map[string]string, name string, fipsMode bool) (string, error) {
	if fipsMode && variables[name+fipsSuffix] != "" {
		name += fipsSuffix
	}
	reference := variables[name]
	if reference == "" {
		return "", nil
	}
	if err := image.CheckReference(reference); err != nil {
		return "", fmt.Errorf("read environment: %s: %w", name, err)
	}
	return reference, nil
}

func notSet(name string) error {
	return fmt.Errorf("read environment: %s is not set: set it to a full image reference in the operator's Deployment", name)
}
