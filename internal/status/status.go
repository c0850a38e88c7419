// Package status turns what the steps of a reconciliation report into a
// Function's status and events.
package status

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/apply"
)

// Condition makes a condition of the parts that a step decides on.
func Condition(t v1alpha2.ConditionType, status corev1.ConditionStatus, reason v1alpha2.ConditionReason, message string) v1alpha2.Condition {
	return v1alpha2.Condition{Type: t, Status: status, Reason: reason, Message: message}
}

// InvalidSpec says what has to be changed in the spec.
func InvalidSpec(problems ...string) v1alpha2.Condition {
	return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonInvalidFunctionSpec, strings.Join(problems, ". "))
}

// SourceStored says that the source is known. A former condition stays when
// nothing was changed.
func SourceStored(former *v1alpha2.Condition, configMap string, result apply.Result) v1alpha2.Condition {
	if result == apply.Unchanged && former != nil && former.Status == corev1.ConditionTrue {
		return *former
	}
	if result == apply.Created {
		return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonConfigMapCreated,
			fmt.Sprintf("ConfigMap %s created", configMap))
	}
	return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonConfigMapUpdated,
		fmt.Sprintf("Updated ConfigMap: %q", configMap))
}

// BuildWaits says that the build can't go on for now.
func BuildWaits(err error) v1alpha2.Condition {
	return Condition(v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, "Build waits: "+err.Error())
}

// DeploymentApplied says that new Pods are on their way.
func DeploymentApplied(deployment string, result apply.Result) v1alpha2.Condition {
	reason, verb := v1alpha2.ReasonDeploymentUpdated, "updated"
	if result == apply.Created {
		reason, verb = v1alpha2.ReasonDeploymentCreated, "created"
	}
	return Condition(v1alpha2.ConditionRunning, corev1.ConditionUnknown, reason, fmt.Sprintf("Deployment %s %s", deployment, verb))
}

// Note is a condition's message as the text of an event, which has a bound.
func Note(message string) string {
	const longest = 1024
	if len(message) <= longest {
		return message
	}
	return strings.ToValidUTF8(message[:longest-len("…")], "") + "…"
}

// Merge puts the reported conditions over the former ones, the changed in
// front, and returns those which changed, in the order of the report. The
// dashboard and the CLI show the first condition as the newest
// (contract/functions.md 2.5).
func Merge(former, reported []v1alpha2.Condition, now metav1.Time) (merged, changed []v1alpha2.Condition) {
	isNew := map[v1alpha2.ConditionType]bool{}
	for _, condition := range reported {
		old := find(former, condition.Type)
		if old != nil && old.Status == condition.Status && old.Reason == condition.Reason && old.Message == condition.Message {
			continue
		}
		condition.LastTransitionTime = now
		if old != nil && old.Status == condition.Status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
		changed = append(changed, condition)
		isNew[condition.Type] = true
	}
	for i := len(changed) - 1; i >= 0; i-- {
		merged = append(merged, changed[i])
	}
	for _, condition := range former {
		if !isNew[condition.Type] {
			merged = append(merged, condition)
		}
	}
	return merged, changed
}

// EventType of a condition's event.
func EventType(condition v1alpha2.Condition) string {
	if condition.Status == corev1.ConditionFalse {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

func find(conditions []v1alpha2.Condition, t v1alpha2.ConditionType) *v1alpha2.Condition {
	for i := range conditions {
		if conditions[i].Type == t {
			return &conditions[i]
		}
	}
	return nil
}
