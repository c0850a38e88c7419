package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Finalizer keeps a Serverless resource until the module is uninstalled.
const Finalizer = "serverless-operator.kyma-project.io/deletion-hook"

// Serverless switches the Serverless module on and configures it. One is
// served in a cluster; others report that they are redundant.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=serverlesses,singular=serverless
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Configured",type="string",JSONPath=".status.conditions[?(@.type=='Configured')].status"
// +kubebuilder:printcolumn:name="Installed",type="string",JSONPath=".status.conditions[?(@.type=='Installed')].status"
// +kubebuilder:printcolumn:name="generation",type="integer",JSONPath=".metadata.generation"
// +kubebuilder:printcolumn:name="age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="state",type="string",JSONPath=".status.state"
type Serverless struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the configuration you ask for. An empty one is fine.
	Spec ServerlessSpec `json:"spec,omitempty"`
	// Status is what the operator made of it.
	Status ServerlessStatus `json:"status,omitempty"`
}

// ServerlessList is a list of Serverless resources.
//
// +kubebuilder:object:root=true
type ServerlessList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Serverless `json:"items"`
}

// ServerlessSpec is the configuration of the module.
type ServerlessSpec struct {
	// DockerRegistry says where the images of Functions are kept. Without it,
	// the registry of a k3d cluster, `k3d-kyma-registry:5000`, is used.
	DockerRegistry *DockerRegistry `json:"dockerRegistry,omitempty"`

	// Tracing says where Functions send their traces. Without it, the Service
	// `telemetry-otlp-traces` of the Telemetry module is used, if there is one
	// in any namespace.
	Tracing *Endpoint `json:"tracing,omitempty"`

	// Eventing says where Functions publish their events. Without it, the
	// publisher proxy of the Eventing module is used:
	// `http://eventing-publisher-proxy.kyma-system.svc.cluster.local/publish`.
	Eventing *Endpoint `json:"eventing,omitempty"`

	// TargetCPUUtilizationPercentage is the share of the requested CPU, in
	// percent, that the autoscaler of a Function aims at: a whole number from 1.
	// The default is `50`.
	TargetCPUUtilizationPercentage IntOrString `json:"targetCPUUtilizationPercentage,omitempty"`

	// FunctionRequeueDuration was the time between two reconciliations of a
	// Function. Functions are reconciled when something changes, so it has no
	// effect; it is accepted, and reported in the status. A number without a
	// unit means seconds. The default is `5m`.
	FunctionRequeueDuration IntOrString `json:"functionRequeueDuration,omitempty"`

	// FunctionBuildExecutorArgs were arguments of the program that built
	// images. They have no effect; they are accepted, and reported in the status.
	FunctionBuildExecutorArgs string `json:"functionBuildExecutorArgs,omitempty"`

	// FunctionBuildMaxSimultaneousJobs is the number of build Jobs that may run
	// at the same time in the cluster, from 1; further builds wait. The default is `5`.
	FunctionBuildMaxSimultaneousJobs IntOrString `json:"functionBuildMaxSimultaneousJobs,omitempty"`

	// HealthzLivenessTimeout is the time after which a function controller that
	// does not answer its health check is restarted, for example `10s`. A
	// number without a unit means seconds. The default is `10s`.
	HealthzLivenessTimeout IntOrString `json:"healthzLivenessTimeout,omitempty"`

	// DefaultBuildJobPreset is the resource preset of build Jobs whose Function
	// names none: `local-dev`, `slow`, `normal` or `fast`. The default is
	// `slow` in clusters of up to two nodes, otherwise `normal`.
	DefaultBuildJobPreset string `json:"defaultBuildJobPreset,omitempty"`

	// DefaultRuntimePodPreset is the resource preset of Functions that name
	// none: `XS`, `S`, `M`, `L` or `XL`. The default is `XS` in clusters of up
	// to two nodes, otherwise `L`.
	DefaultRuntimePodPreset string `json:"defaultRuntimePodPreset,omitempty"`

	// FunctionRequestBodyLimitMb was the limit of a request's body. It has no
	// effect; it is accepted, as the first releases of the module had it.
	FunctionRequestBodyLimitMb IntOrString `json:"functionRequestBodyLimitMb,omitempty"`

	// FunctionTimeoutSec was the time that a Function had to answer. It has no
	// effect; it is accepted, as the first releases of the module had it.
	FunctionTimeoutSec IntOrString `json:"functionTimeoutSec,omitempty"`

	// LogLevel is what the operator, the function controller and the webhook log
	// at least: `debug`, `info`, `warn`, `error` or `fatal`, with which they log
	// only the error that ends them. They follow a change within about a minute,
	// without a restart. The default is `info`.
	LogLevel string `json:"logLevel,omitempty"`

	// LogFormat is how they log: `json` or `console`, which is also called
	// `text`. They follow a change as one of the level. The default is `json`.
	LogFormat string `json:"logFormat,omitempty"`

	// EnableNetworkPolicies says if the module brings NetworkPolicies, with
	// which it works where another one denies all traffic. They also limit it
	// to the traffic that it needs: metrics are for Pods with the label
	// `networking.kyma-project.io/metrics-scraping: allowed`. The default is `true`.
	EnableNetworkPolicies *bool `json:"enableNetworkPolicies,omitempty"`
}

// DockerRegistry is the registry that keeps the images of Functions.
type DockerRegistry struct {
	// EnableInternal asks for a registry of the module's own, in the cluster,
	// with a volume of 20Gi. The default is `false`. It is ignored, with a
	// warning, when secretName is set.
	EnableInternal *bool `json:"enableInternal,omitempty"`

	// SecretName names a Secret in the namespace of this resource that
	// describes an external registry by the keys `username`, `password`,
	// `serverAddress` (for the login) and `registryAddress` (the first part of
	// the images' names).
	SecretName *string `json:"secretName,omitempty"`
}

// Endpoint is the address of a service that Functions use.
type Endpoint struct {
	// Endpoint is a URL. An empty one switches the feature off.
	Endpoint string `json:"endpoint"`
}

// ServerlessStatus is the configuration in effect and the state of the module.
type ServerlessStatus struct {
	// EventingEndpoint is the URL that Functions publish events to. Empty
	// means that they can't.
	EventingEndpoint string `json:"eventingEndpoint,omitempty"`
	// TracingEndpoint is the URL that Functions send traces to. Empty means
	// that they send none.
	TracingEndpoint string `json:"tracingEndpoint,omitempty"`

	// TargetCPUUtilizationPercentage is the value asked for in the spec.
	TargetCPUUtilizationPercentage string `json:"targetCPUUtilizationPercentage,omitempty"`
	// FunctionRequeueDuration is the value asked for in the spec.
	FunctionRequeueDuration string `json:"functionRequeueDuration,omitempty"`
	// FunctionBuildExecutorArgs is the value asked for in the spec.
	FunctionBuildExecutorArgs string `json:"functionBuildExecutorArgs,omitempty"`
	// FunctionBuildMaxSimultaneousJobs is the value asked for in the spec.
	FunctionBuildMaxSimultaneousJobs string `json:"functionBuildMaxSimultaneousJobs,omitempty"`
	// HealthzLivenessTimeout is the value asked for in the spec.
	HealthzLivenessTimeout string `json:"healthzLivenessTimeout,omitempty"`
	// DefaultBuildJobPreset is the resource preset of build Jobs in effect.
	DefaultBuildJobPreset string `json:"defaultBuildJobPreset,omitempty"`
	// DefaultRuntimePodPreset is the resource preset of Functions in effect.
	DefaultRuntimePodPreset string `json:"defaultRuntimePodPreset,omitempty"`
	// LogLevel is the level of logs in effect.
	LogLevel string `json:"logLevel,omitempty"`
	// LogFormat is the format of logs in effect.
	LogFormat string `json:"logFormat,omitempty"`

	// DockerRegistry is `internal`, or the address of the registry in use.
	DockerRegistry string `json:"dockerRegistry,omitempty"`

	// State sums up the conditions. Warning means that the module needs
	// something of you; a condition says what.
	State State `json:"state,omitempty"`

	// Served says if this is the Serverless resource in effect.
	Served Served `json:"served"`

	// Conditions tell how configuration, installation and deletion stand.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// State sums up the conditions of a Serverless resource.
//
// +kubebuilder:validation:Enum=Processing;Deleting;Ready;Error;Warning
type State string

const (
	// StateProcessing: objects are being applied, or waited for.
	StateProcessing State = "Processing"
	// StateReady: everything is applied and available.
	StateReady State = "Ready"
	// StateWarning: something needs the user's attention.
	StateWarning State = "Warning"
	// StateError: the configuration can't be used, or an object can't be applied.
	StateError State = "Error"
	// StateDeleting: the module is being uninstalled.
	StateDeleting State = "Deleting"
)

// Served says if a Serverless resource is the one in effect.
//
// +kubebuilder:validation:Enum="True";"False"
type Served string

const (
	// ServedTrue: this resource is in effect.
	ServedTrue Served = "True"
	// ServedFalse: another resource is in effect, this one is redundant.
	ServedFalse Served = "False"
)
