// Package module decides what a Serverless resource means: which one is in
// effect, its configuration, and the status that it reports. Nothing here
// touches a cluster.
package module

const (
	// Release is the name that the chart is rendered for.
	Release = "serverless"

	// RegistrySecretName names the Secret with the address and the credentials
	// of the registry in use.
	RegistrySecretName = "serverless-registry-config-default"
	// RegistryName names the Deployment, Service, volume claim and Secret of
	// the module's own registry.
	RegistryName = "serverless-docker-registry"
	// RegistryVolumeName names the ConfigMap with what the registry says of its volume.
	RegistryVolumeName = "serverless-docker-registry-volume"
	// RegistryPortName names the port of the registry's Service.
	RegistryPortName = "http-registry"

	// ControllerName names the function controller's Deployment.
	ControllerName = "serverless-ctrl-mngr"
	// ControllerLeaseName names the lease by which one of several function
	// controllers works.
	ControllerLeaseName = "serverless-controller-leader-election-helper"
	// RegistryFinalizer is the function controller's: it keeps the registry
	// Secret until its copies are gone.
	RegistryFinalizer = "serverless.kyma-project.io/finalizer-registry-config"

	// TracingServiceName names the Service that the Telemetry module offers for traces.
	TracingServiceName = "telemetry-otlp-traces"

	// ConfigLabel marks what the function controller copies to the namespaces
	// of Functions; its value says what it is.
	ConfigLabel = "serverless.kyma-project.io/config"
	// ConfigCredentials marks the Secret with the registry's credentials.
	ConfigCredentials = "credentials"
	// ConfigServiceAccount marks the account that Functions run as.
	ConfigServiceAccount = "service-account"
	// ConfigRuntime marks the ConfigMaps of runtimes.
	ConfigRuntime = "runtime"

	// CopyOwnerLabel says who keeps such a copy. With the value CopyOwnerUser it is not ours.
	CopyOwnerLabel = "serverless.kyma-project.io/managed-by"
	// CopyOwnerUser is the value of CopyOwnerLabel on a copy that a user keeps.
	CopyOwnerUser = "user"
)
