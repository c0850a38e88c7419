package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Runtime names the language and version that run a Function's code. Names
// that this installation offers no base image for are accepted, so that stored
// Functions stay editable; the Function's condition then names a replacement.
//
// +kubebuilder:validation:Enum=nodejs12;nodejs14;nodejs16;nodejs18;nodejs20;nodejs22;nodejs24;python38;python39;python312;python313
type Runtime string

// FunctionSpec is what a user wants to run.
type FunctionSpec struct {
	// The runtime of the Function, for example `nodejs22`.
	Runtime Runtime `json:"runtime"`

	// A full image reference to use as the base image in place of the runtime's own.
	// +optional
	RuntimeImageOverride string `json:"runtimeImageOverride,omitempty"`

	// Where the Function's code comes from: exactly one of `inline` and `gitRepository`.
	// +kubebuilder:validation:XValidation:message="Use GitRepository or Inline source",rule="has(self.gitRepository) != has(self.inline)"
	Source Source `json:"source"`

	// Environment variables of the Function's container. The names that the
	// runtime needs for itself are refused.
	// +kubebuilder:validation:XValidation:message="Following envs are reserved and cannot be used: ['FUNC_RUNTIME','FUNC_HANDLER','FUNC_PORT','MOD_NAME','NODE_PATH','PYTHONPATH']",rule="self.all(e, !(e.name in ['FUNC_RUNTIME','FUNC_HANDLER','FUNC_PORT','MOD_NAME','NODE_PATH','PYTHONPATH']))"
	// +optional
	Env []corev1.EnvVar `json:"env,omitempty"`

	// CPU and memory of the Function's Pods and of its builds.
	// +optional
	ResourceConfiguration *ResourceConfiguration `json:"resourceConfiguration,omitempty"`

	// Bounds for the number of Pods. Between different bounds the Function is
	// scaled by its CPU utilization; with equal ones the number is fixed.
	// +kubebuilder:validation:XValidation:message="minReplicas should be less than or equal maxReplicas",rule="self.minReplicas <= self.maxReplicas"
	// +optional
	ScaleConfig *ScaleConfig `json:"scaleConfig,omitempty"`

	// The number of Pods to run; 0 stops the Function. Automatic scaling and
	// `kubectl scale` write this field. What lies outside of scaleConfig's bounds
	// counts as the nearest bound, except for 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:default=1
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// Deprecated: use `labels` and `annotations`.
	// +kubebuilder:validation:XValidation:message="Not supported: Use spec.labels and spec.annotations to label and/or annotate Function's Pods.",rule="!has(self.labels) && !has(self.annotations)"
	// +optional
	Template *Template `json:"template,omitempty"`

	// Secrets of the Function's namespace to mount as files.
	// +optional
	SecretMounts []SecretMount `json:"secretMounts,omitempty"`

	// Labels added to the Function's Pods.
	// +kubebuilder:validation:XValidation:message="Labels has key starting with serverless.kyma-project.io/ which is not allowed",rule="!(self.exists(e, e.startsWith('serverless.kyma-project.io/')))"
	// +kubebuilder:validation:XValidation:message="Label value cannot be longer than 63",rule="self.all(e, size(self[e]) < 64)"
	// +optional
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations added to the Function's Pods.
	// +kubebuilder:validation:XValidation:message="Annotations has key starting with serverless.kyma-project.io/ which is not allowed",rule="!(self.exists(e, e.startsWith('serverless.kyma-project.io/')))"
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`

	// Security settings of the Function's Pods; what is not set keeps the
	// defaults, which satisfy the restricted Pod Security Standard.
	// +optional
	PodSecurityContext *corev1.PodSecurityContext `json:"podSecurityContext,omitempty"`

	// Security settings of the Function's container, as podSecurityContext.
	// +optional
	ContainerSecurityContext *corev1.SecurityContext `json:"containerSecurityContext,omitempty"`

	// How many former revisions to keep for going back to them; the current
	// one is kept besides.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:default=10
	// +optional
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`
}

// Source is where code comes from.
type Source struct {
	// The code itself.
	// +optional
	Inline *InlineSource `json:"inline,omitempty"`

	// A Git repository that holds the code.
	// +kubebuilder:validation:XValidation:message="BaseDir is required and cannot be empty",rule="has(self.baseDir) && (self.baseDir.trim().size() != 0)"
	// +kubebuilder:validation:XValidation:message="Reference is required and cannot be empty",rule="has(self.reference) && (self.reference.trim().size() != 0)"
	// +optional
	GitRepository *GitRepositorySource `json:"gitRepository,omitempty"`
}

// InlineSource is code written in the Function itself.
type InlineSource struct {
	// The handler's source code; it exports `main`.
	// +kubebuilder:validation:MinLength=1
	Source string `json:"source"`

	// What the code needs: the text of a package.json (Node.js) or of a
	// requirements.txt (Python).
	// +optional
	Dependencies string `json:"dependencies,omitempty"`
}

// GitRepositorySource is code in a Git repository.
type GitRepositorySource struct {
	// The repository's address, over https, http or ssh.
	URL string `json:"url"`

	// How to authenticate; public repositories need none.
	// +optional
	Auth *RepositoryAuth `json:"auth,omitempty"`

	Repository `json:",inline"`
}

// Repository is a place within a Git repository.
type Repository struct {
	// The directory that holds the Function's code, relative to the repository's root.
	// +optional
	BaseDir string `json:"baseDir,omitempty"`

	// A branch, a tag or a full commit id.
	// +optional
	Reference string `json:"reference,omitempty"`
}

// RepositoryAuth is how to authenticate to a Git server.
type RepositoryAuth struct {
	// `basic` (username and password or token) or `key` (SSH key).
	Type RepositoryAuthType `json:"type"`

	// The Secret of the Function's namespace with the credentials: keys
	// `username` and `password`, or `key` (a private SSH key), optionally
	// `password` (its passphrase) and `known_hosts` (the host keys to accept).
	// A key `ca.crt` holds more CA certificates to trust.
	// +kubebuilder:validation:XValidation:message="SecretName is required and cannot be empty",rule="self.trim().size() != 0"
	SecretName string `json:"secretName"`
}

// RepositoryAuthType is a way to authenticate to a Git server.
//
// +kubebuilder:validation:Enum=basic;key
type RepositoryAuthType string

// The ways to authenticate to a Git server.
const (
	RepositoryAuthBasic  RepositoryAuthType = "basic"
	RepositoryAuthSSHKey RepositoryAuthType = "key"
)

// ResourceConfiguration sizes Pods and builds.
type ResourceConfiguration struct {
	// Resources of the build: profiles `local-dev`, `slow`, `normal`, `fast`.
	// +kubebuilder:validation:XValidation:message="Use profile or resources",rule="has(self.profile) != has(self.resources)"
	// +kubebuilder:validation:XValidation:message="Invalid profile, please use one of: ['local-dev','slow','normal','fast']",rule="(!has(self.profile) || self.profile in ['local-dev','slow','normal','fast'])"
	// +optional
	Build *ResourceRequirements `json:"build,omitempty"`

	// Resources of the Function's Pods: profiles `XS`, `S`, `M`, `L`, `XL`.
	// +kubebuilder:validation:XValidation:message="Use profile or resources",rule="has(self.profile) != has(self.resources)"
	// +kubebuilder:validation:XValidation:message="Invalid profile, please use one of: ['XS','S','M','L','XL']",rule="(!has(self.profile) || self.profile in ['XS','S','M','L','XL'])"
	// +optional
	Function *ResourceRequirements `json:"function,omitempty"`
}

// ResourceRequirements is a profile's name or explicit values.
type ResourceRequirements struct {
	// The name of a predefined set of requests and limits.
	// +optional
	Profile string `json:"profile,omitempty"`

	// Explicit requests and limits.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// ScaleConfig bounds automatic scaling.
type ScaleConfig struct {
	// The least number of Pods.
	// +kubebuilder:validation:Minimum=1
	MinReplicas *int32 `json:"minReplicas"`

	// The greatest number of Pods.
	// +kubebuilder:validation:Minimum=1
	MaxReplicas *int32 `json:"maxReplicas"`
}

// Template is the deprecated place for Pod labels and annotations.
type Template struct {
	// Not supported: use spec.labels.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Not supported: use spec.annotations.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// SecretMount makes a Secret's keys files in the Function's container.
type SecretMount struct {
	// The Secret's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`

	// The directory where its keys appear as files.
	// +kubebuilder:validation:MinLength=1
	MountPath string `json:"mountPath"`
}

// FunctionStatus is what was observed.
type FunctionStatus struct {
	// The runtime that the last build used.
	Runtime Runtime `json:"runtime,omitempty"`
	// The profile that sizes the Pods, or `custom`.
	FunctionResourceProfile string `json:"functionResourceProfile,omitempty"`
	// The profile that sizes builds, or `custom`.
	BuildResourceProfile string `json:"buildResourceProfile,omitempty"`
	// What holds of the Function, the last changed first.
	Conditions []Condition `json:"conditions,omitempty"`
	// The commit, directory and reference of a Git source.
	Repository `json:",inline"`
	Commit     string `json:"commit,omitempty"`
	// The Git source that the commit was found in.
	// +optional
	GitRepository *GitRepositoryStatus `json:"gitRepository,omitempty"`
	// The number of Pods.
	Replicas int32 `json:"replicas,omitempty"`
	// The label selector of the Pods, for the scale subresource.
	PodSelector string `json:"podSelector,omitempty"`
	// The base image of the last build.
	RuntimeImage string `json:"runtimeImage,omitempty"`
	// The base image that the spec asks for in place of the runtime's own.
	RuntimeImageOverride string `json:"runtimeImageOverride,omitempty"`
	// The generation of the spec that this status describes.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// The name of the ControllerRevision that holds the newest state in which
	// the Function worked. While a change rolls out it is the former one's,
	// which still serves.
	CurrentRevision string `json:"currentRevision,omitempty"`
	// The image, by digest, of the current revision.
	CurrentImage string `json:"currentImage,omitempty"`
}

// GitRepositoryStatus is what was found of a Git source.
type GitRepositoryStatus struct {
	// The repository's address, without credentials.
	URL        string `json:"url"`
	Repository `json:",inline"`
	// The commit that the reference names.
	Commit string `json:"commit,omitempty"`
	// The SSH host key that the server showed first, as type and fingerprint.
	// Another key is refused from then on, unless the Secret has `known_hosts`.
	HostKey string `json:"hostKey,omitempty"`
}

// ConditionType names an aspect of a Function's state.
type ConditionType string

// The conditions of a Function, in the order in which they become true.
const (
	// ConditionConfigurationReady is true once the spec is valid and its source is known.
	ConditionConfigurationReady ConditionType = "ConfigurationReady"
	// ConditionBuildReady is true once the image of the spec is in the registry.
	ConditionBuildReady ConditionType = "BuildReady"
	// ConditionRunning is true once Pods of the spec's image answer, and no others.
	ConditionRunning ConditionType = "Running"
)

// ConditionReason says why a condition has its status.
type ConditionReason string

// The reasons of a Function's conditions.
const (
	// ReasonInvalidFunctionSpec: the spec can't be run; the message says what to change.
	ReasonInvalidFunctionSpec ConditionReason = "InvalidFunctionSpec"
	// ReasonSourceUpdated: the commit of the Git source is known, or is being asked for.
	ReasonSourceUpdated ConditionReason = "SourceUpdated"
	// ReasonSourceUpdateFailed: the source can't be read.
	ReasonSourceUpdateFailed ConditionReason = "SourceUpdateFailed"
	// ReasonConfigMapCreated: the inline source was stored.
	ReasonConfigMapCreated ConditionReason = "ConfigMapCreated"
	// ReasonConfigMapUpdated: a changed inline source was stored.
	ReasonConfigMapUpdated ConditionReason = "ConfigMapUpdated"
	// ReasonJobCreated: a build of the dependencies was started.
	ReasonJobCreated ConditionReason = "JobCreated"
	// ReasonJobUpdated: a build under way has got the Function's changed labels.
	ReasonJobUpdated ConditionReason = "JobUpdated"
	// ReasonJobRunning: a build is under way or waits.
	ReasonJobRunning ConditionReason = "JobRunning"
	// ReasonJobFailed: the build failed; the message has its last words.
	ReasonJobFailed ConditionReason = "JobFailed"
	// ReasonJobFinished: the image is in the registry.
	ReasonJobFinished ConditionReason = "JobFinished"
	// ReasonDeploymentCreated: the Deployment was created.
	ReasonDeploymentCreated ConditionReason = "DeploymentCreated"
	// ReasonDeploymentUpdated: the Deployment was changed.
	ReasonDeploymentUpdated ConditionReason = "DeploymentUpdated"
	// ReasonDeploymentWaiting: new Pods are starting.
	ReasonDeploymentWaiting ConditionReason = "DeploymentWaiting"
	// ReasonDeploymentFailed: new Pods can't start; the message says why.
	ReasonDeploymentFailed ConditionReason = "DeploymentFailed"
	// ReasonDeploymentReady: the Function serves.
	ReasonDeploymentReady ConditionReason = "DeploymentReady"
	// ReasonServiceCreated: the Service was created.
	ReasonServiceCreated ConditionReason = "ServiceCreated"
	// ReasonServiceUpdated: the Service was changed.
	ReasonServiceUpdated ConditionReason = "ServiceUpdated"
	// ReasonServiceFailed: the Service can't be applied.
	ReasonServiceFailed ConditionReason = "ServiceFailed"
	// ReasonHorizontalPodAutoscalerCreated: automatic scaling was set up.
	ReasonHorizontalPodAutoscalerCreated ConditionReason = "HorizontalPodAutoscalerCreated"
	// ReasonHorizontalPodAutoscalerUpdated: automatic scaling was changed.
	ReasonHorizontalPodAutoscalerUpdated ConditionReason = "HorizontalPodAutoscalerUpdated"
	// ReasonHorizontalPodAutoscalerFailed: automatic scaling can't be set up, changed or ended.
	ReasonHorizontalPodAutoscalerFailed ConditionReason = "HorizontalPodAutoscalerFailed"
	// ReasonPodDisruptionBudgetFailed: the Pods can't be spared, or not any more, when nodes are drained.
	ReasonPodDisruptionBudgetFailed ConditionReason = "PodDisruptionBudgetFailed"
	// ReasonMinReplicasNotAvailable: too few Pods are ready.
	ReasonMinReplicasNotAvailable ConditionReason = "MinReplicasNotAvailable"
)

// Condition is one aspect of a Function's state.
type Condition struct {
	Type               ConditionType          `json:"type,omitempty"`
	Status             corev1.ConditionStatus `json:"status"`
	LastTransitionTime metav1.Time            `json:"lastTransitionTime,omitempty"`
	Reason             ConditionReason        `json:"reason,omitempty"`
	Message            string                 `json:"message,omitempty"`
}

// AnnotationRollbackTo on a Function has its spec replaced by that of an earlier
// revision: a number, a name, or `previous`. It is removed when that is done.
const AnnotationRollbackTo = "serverless.kyma-project.io/rollback-to"

// AnnotationContinuousGitCheckout on a Function, with the value "true", has
// its Git reference looked at every few seconds.
const AnnotationContinuousGitCheckout = "serverless.kyma-project.io/continuousGitCheckout"

// Labels and annotations of the objects made for a Function.
const (
	// LabelFunctionName holds the Function's name.
	LabelFunctionName = "serverless.kyma-project.io/function-name"
	// LabelManagedBy tells who keeps the object: ManagedByController or ManagedByUser.
	LabelManagedBy = "serverless.kyma-project.io/managed-by"
	// LabelUUID holds the Function's UID.
	LabelUUID = "serverless.kyma-project.io/uuid"
	// LabelResource tells a Function's Pods from those of its builds.
	LabelResource = "serverless.kyma-project.io/resource"
	// LabelConfig marks the objects copied to each namespace, with what they are.
	LabelConfig = "serverless.kyma-project.io/config"

	// ManagedByController marks the Function controller's objects.
	ManagedByController = "function-controller"
	// ManagedByUser on a namespace's registry Secret keeps it from being overwritten.
	ManagedByUser = "user"
	// ResourceDeployment marks the Pods that serve.
	ResourceDeployment = "deployment"
	// ConfigCredentials marks registry credentials.
	ConfigCredentials = "credentials"
	// ConfigServiceAccount marks service accounts.
	ConfigServiceAccount = "service-account"
)

// Function is a piece of code that runs as an HTTP endpoint.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=fn;fns,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.podSelector
// +kubebuilder:printcolumn:name="Configured",type=string,JSONPath=".status.conditions[?(@.type=='ConfigurationReady')].status"
// +kubebuilder:printcolumn:name="Built",type=string,JSONPath=".status.conditions[?(@.type=='BuildReady')].status"
// +kubebuilder:printcolumn:name="Running",type=string,JSONPath=".status.conditions[?(@.type=='Running')].status"
// +kubebuilder:printcolumn:name="Runtime",type=string,JSONPath=".spec.runtime"
// +kubebuilder:printcolumn:name="Version",type=integer,JSONPath=".metadata.generation"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type Function struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   FunctionSpec   `json:"spec,omitempty"`
	Status FunctionStatus `json:"status,omitempty"`
}

// FunctionList is a list of Functions.
//
// +kubebuilder:object:root=true
type FunctionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Function `json:"items"`
}

// Condition returns the condition of the type, or nil.
func (s *FunctionStatus) Condition(t ConditionType) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == t {
			return &s.Conditions[i]
		}
	}
	return nil
}
