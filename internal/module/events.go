package module

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// Event tells the user about one change of the status.
type Event struct {
	Type   string
	Reason string
	// Action tells events apart that are recorded at the same time for the
	// same reason; otherwise all but one are counted, and their messages lost.
	Action  string
	Message string
}

// Events returns one event for each setting and each condition that differs
// between two statuses.
func Events(before, after v1alpha1.ServerlessStatus) []Event {
	return append(settingEvents(before, after), conditionEvents(before, after)...)
}

func settingEvents(before, after v1alpha1.ServerlessStatus) []Event {
	var events []Event
	for _, setting := range []struct{ name, before, after string }{
		{"CPU utilization", before.TargetCPUUtilizationPercentage, after.TargetCPUUtilizationPercentage},
		{"Function requeue duration", before.FunctionRequeueDuration, after.FunctionRequeueDuration},
		{"Function build executor args", before.FunctionBuildExecutorArgs, after.FunctionBuildExecutorArgs},
		{"Max number of simultaneous jobs", before.FunctionBuildMaxSimultaneousJobs, after.FunctionBuildMaxSimultaneousJobs},
		{"Duration of health check", before.HealthzLivenessTimeout, after.HealthzLivenessTimeout},
		{"Default build job preset", before.DefaultBuildJobPreset, after.DefaultBuildJobPreset},
		{"Default runtime pod preset", before.DefaultRuntimePodPreset, after.DefaultRuntimePodPreset},
		{"Log level", before.LogLevel, after.LogLevel},
		{"Log format", before.LogFormat, after.LogFormat},
		{"Eventing endpoint", before.EventingEndpoint, after.EventingEndpoint},
		{"Tracing endpoint", before.TracingEndpoint, after.TracingEndpoint},
	} {
		if setting.before != setting.after {
			events = append(events, Event{
				Type:    corev1.EventTypeNormal,
				Reason:  string(v1alpha1.ReasonConfiguration),
				Action:  "Set " + setting.name,
				Message: fmt.Sprintf("%s set from '%s' to '%s'", setting.name, setting.before, setting.after),
			})
		}
	}
	return events
}

func conditionEvents(before, after v1alpha1.ServerlessStatus) []Event {
	var events []Event
	for _, current := range after.Conditions {
		former := meta.FindStatusCondition(before.Conditions, current.Type)
		if former != nil && former.Status == current.Status && former.Reason == current.Reason && former.Message == current.Message {
			continue
		}
		event := Event{Type: corev1.EventTypeNormal, Reason: current.Reason, Action: current.Type, Message: current.Message}
		if current.Status == metav1.ConditionFalse || strings.HasPrefix(current.Message, "Warning") {
			event.Type = corev1.EventTypeWarning
		}
		events = append(events, event)
	}
	return events
}
