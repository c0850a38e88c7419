package module

import (
	"crypto/sha256"
	"encoding/hex"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// Images are the full references of the images that the module runs.
type Images struct {
	FunctionController string
	FunctionBuilder    string
	FunctionRegistry   string
	FunctionWebhook    string
	// Runtimes are the base images by the name that spec.runtime has.
	Runtimes map[string]string
	// PullSecret names the Secret in the module's namespace to pull them with;
	// empty where that takes none.
	PullSecret string
	// FIPS has the programs run in FIPS mode, for which the images were chosen.
	FIPS bool
}

// Configuration is all that the module's objects depend on.
type Configuration struct {
	Registry  Registry
	Endpoints Endpoints
	Presets   Presets
	Log       Log
	// Spec holds what is passed on as it is.
	Spec v1alpha1.ServerlessSpec
	// Warnings are what the user should change although it works.
	Warnings []string
}

// RegistryStatus is the registry as the status names it.
func (c Configuration) RegistryStatus() string {
	if c.Registry.Internal {
		return "internal"
	}
	return c.Registry.ServerAddress
}

// Values returns the chart's values for the configuration. Equal ones give
// equal values, so rendering again changes nothing.
func (c Configuration) Values(images Images) map[string]any {
	runtimes := map[string]any{}
	for name, image := range images.Runtimes {
		runtimes[name] = image
	}
	return map[string]any{
		"global": map[string]any{
			"images": map[string]any{
				"functionController": images.FunctionController,
				"functionBuilder":    images.FunctionBuilder,
				"functionRegistry":   images.FunctionRegistry,
				"functionWebhook":    images.FunctionWebhook,
				"functionRuntimes":   runtimes,
			},
			"imagePullSecretName": images.PullSecret,
			"fipsMode":            images.FIPS,
			"registrySecretName":  RegistrySecretName,
			"resourceConfig": map[string]any{
				"function": defaultPreset(c.Presets.RuntimePod),
				"buildJob": defaultPreset(c.Presets.BuildJob),
			},
		},
		"networkPolicies": map[string]any{
			"enabled": c.Spec.EnableNetworkPolicies == nil || *c.Spec.EnableNetworkPolicies,
		},
		"dockerRegistry":      c.registryValues(),
		"docker-registry":     c.registryPartValues(),
		"function-controller": c.controllerValues(),
	}
}

func (c Configuration) registryValues() map[string]any {
	values := map[string]any{
		"enableInternal":  c.Registry.Internal,
		"username":        c.Registry.Credentials.Username,
		"password":        c.Registry.Credentials.Password,
		"serverAddress":   c.Registry.ServerAddress,
		"registryAddress": c.Registry.RegistryAddress,
		"certificates":    c.Registry.Certificates,
	}
	if c.Registry.Internal {
		values["nodePort"] = int64(c.Registry.NodePort)
	}
	return values
}

func (c Configuration) registryPartValues() map[string]any {
	if !c.Registry.Internal {
		return map[string]any{}
	}
	checksum := sha256.Sum256([]byte(c.Registry.Credentials.Username + "\n" + c.Registry.Credentials.Password))
	return map[string]any{
		"httpSecret":          c.Registry.HTTPSecret,
		"credentialsChecksum": hex.EncodeToString(checksum[:]),
		"nodePort":            int64(c.Registry.NodePort),
	}
}

func (c Configuration) controllerValues() map[string]any {
	configuration := map[string]any{
		"traceCollectorEndpoint": c.Endpoints.Tracing,
		"publisherProxyAddress":  c.Endpoints.Eventing,
	}
	// What is not asked for keeps the chart's default.
	for key, value := range map[string]string{
		"targetCPUUtilizationPercentage": string(c.Spec.TargetCPUUtilizationPercentage),
		"requeueDuration":                string(c.Spec.FunctionRequeueDuration),
		"buildExecutorArgs":              c.Spec.FunctionBuildExecutorArgs,
		"buildMaxSimultaneousJobs":       string(c.Spec.FunctionBuildMaxSimultaneousJobs),
		"healthzLivenessTimeout":         string(c.Spec.HealthzLivenessTimeout),
	} {
		if value != "" {
			configuration[key] = value
		}
	}
	log := map[string]any{}
	if c.Log.Level != "" {
		log["level"] = c.Log.Level
	}
	if c.Log.Format != "" {
		log["format"] = c.Log.Format
	}
	configuration["log"] = log
	return map[string]any{"configuration": configuration}
}

func defaultPreset(name string) map[string]any {
	return map[string]any{"resources": map[string]any{"defaultPreset": name}}
}
