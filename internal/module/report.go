package module

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// Report is what one reconciliation found: the status is computed from it.
type Report struct {
	State v1alpha1.State
	// Served says if the resource is the one in effect.
	Served v1alpha1.Served
	// Configuration is the one in effect; nil if it was not asked for.
	Configuration *Configuration
	// Conditions are those that the reconciliation can tell about.
	Conditions []metav1.Condition
}

// condition builds a condition of the resource.
func condition(kind v1alpha1.ConditionType, status metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) metav1.Condition {
	return metav1.Condition{Type: string(kind), Status: status, Reason: string(reason), Message: message}
}

// Redundant reports that another resource is in effect.
func Redundant(served *v1alpha1.Serverless) Report {
	message := fmt.Sprintf("Only one instance of Serverless is allowed (current served instance: %s/%s). "+
		"This Serverless CR is redundant. Remove it to fix the problem.", served.Namespace, served.Name)
	return Report{
		State:  v1alpha1.StateWarning,
		Served: v1alpha1.ServedFalse,
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionConfigured, metav1.ConditionFalse, v1alpha1.ReasonServerlessDuplicated, message),
		},
	}
}

// ConfigurationFailed reports that the configuration can't be used.
func ConfigurationFailed(err error) Report {
	return Report{
		State:  v1alpha1.StateError,
		Served: v1alpha1.ServedTrue,
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionConfigured, metav1.ConditionFalse, v1alpha1.ReasonConfigurationErr, err.Error()),
		},
	}
}

// Installing reports that objects are about to be applied.
func Installing(configuration Configuration) Report {
	return configured(configuration, v1alpha1.StateProcessing, metav1.ConditionUnknown,
		v1alpha1.ReasonInstallation, "Installing for configuration")
}

// Waiting reports that the objects are applied, and what they wait for.
func Waiting(configuration Configuration, unready []string) Report {
	return configured(configuration, v1alpha1.StateProcessing, metav1.ConditionUnknown,
		v1alpha1.ReasonInstallation, "Waiting for "+strings.Join(unready, "; "))
}

// InstallationFailed reports that the objects can't be rendered or applied.
func InstallationFailed(configuration Configuration, err error) Report {
	return configured(configuration, v1alpha1.StateError, metav1.ConditionFalse,
		v1alpha1.ReasonInstallationErr, err.Error())
}

// Installed reports that everything runs, and what should be changed nevertheless.
func Installed(configuration Configuration) Report {
	state, message := v1alpha1.StateReady, "Serverless installed"
	if len(configuration.Warnings) > 0 {
		state, message = v1alpha1.StateWarning, "Warning: "+strings.Join(configuration.Warnings, "; ")
	}
	return configured(configuration, state, metav1.ConditionTrue, v1alpha1.ReasonInstalled, message)
}

func configured(configuration Configuration, state v1alpha1.State, installed metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) Report {
	return Report{
		State:         state,
		Served:        v1alpha1.ServedTrue,
		Configuration: &configuration,
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionConfigured, metav1.ConditionTrue, v1alpha1.ReasonConfigured, "Configuration ready"),
			condition(v1alpha1.ConditionInstalled, installed, reason, message),
		},
	}
}

// Uninstalling reports how far the deletion has come. That the condition is True
// while Secrets go is the original's (contract/functions.md 1.2); the reason says
// that it has not ended.
func Uninstalling(removal Removal) Report {
	status := metav1.ConditionUnknown
	if removal.Step == RemovalOfSecrets {
		status = metav1.ConditionTrue
	}
	return deletion(v1alpha1.StateDeleting, status, v1alpha1.ReasonDeletion, removal.String())
}

// UninstallationBlocked reports that Functions are left, which the user has to delete.
func UninstallationBlocked(functions Functions) Report {
	return deletion(v1alpha1.StateWarning, metav1.ConditionFalse, v1alpha1.ReasonDeletionErr, functions.String())
}

// UninstallationFailed reports that objects can't be deleted.
func UninstallationFailed(err error) Report {
	return deletion(v1alpha1.StateError, metav1.ConditionFalse, v1alpha1.ReasonDeletionErr, err.Error())
}

// Uninstalled reports that nothing of the module is left.
func Uninstalled() Report {
	return deletion(v1alpha1.StateDeleting, metav1.ConditionTrue, v1alpha1.ReasonDeleted, "Serverless module deleted")
}

func deletion(state v1alpha1.State, status metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) Report {
	return Report{
		State:      state,
		Served:     v1alpha1.ServedTrue,
		Conditions: []metav1.Condition{condition(v1alpha1.ConditionDeleted, status, reason, message)},
	}
}

// Status returns the status that follows a former one. What the report can't
// tell about stays as it was.
func (r Report) Status(former v1alpha1.ServerlessStatus, generation int64) v1alpha1.ServerlessStatus {
	status := *former.DeepCopy()
	status.State = r.State
	status.Served = r.Served
	if r.Configuration != nil {
		r.Configuration.writeTo(&status)
	}
	for _, condition := range r.Conditions {
		condition.ObservedGeneration = generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	return status
}

func (c Configuration) writeTo(status *v1alpha1.ServerlessStatus) {
	status.DockerRegistry = c.RegistryStatus()
	status.EventingEndpoint = c.Endpoints.Eventing
	status.TracingEndpoint = c.Endpoints.Tracing
	status.TargetCPUUtilizationPercentage = string(c.Spec.TargetCPUUtilizationPercentage)
	status.FunctionRequeueDuration = string(c.Spec.FunctionRequeueDuration)
	status.FunctionBuildExecutorArgs = c.Spec.FunctionBuildExecutorArgs
	status.FunctionBuildMaxSimultaneousJobs = string(c.Spec.FunctionBuildMaxSimultaneousJobs)
	status.HealthzLivenessTimeout = string(c.Spec.HealthzLivenessTimeout)
	status.DefaultBuildJobPreset = c.Presets.BuildJob
	status.DefaultRuntimePodPreset = c.Presets.RuntimePod
	status.LogLevel = c.Log.Level
	status.LogFormat = c.Log.Format
}
