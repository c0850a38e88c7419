// Package status turns what the steps of a reconciliation report into a
// Function's status and events.
package status

import (
	"errors"
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

// applied are the reasons for a child that was created or updated (contract/functions.md 2.5).
var applied = map[string]map[apply.Result]v1alpha2.ConditionReason{
	"Deployment": {apply.Created: v1alpha2.ReasonDeploymentCreated, apply.Updated: v1alpha2.ReasonDeploymentUpdated},
	"Service":    {apply.Created: v1alpha2.ReasonServiceCreated, apply.Updated: v1alpha2.ReasonServiceUpdated},
	"HorizontalPodAutoscaler": {
		apply.Created: v1alpha2.ReasonHorizontalPodAutoscalerCreated, apply.Updated: v1alpha2.ReasonHorizontalPodAutoscalerUpdated,
	},
}

// Applied says that a child was created or updated, so that whether the
// Function serves has to be seen again. Where nothing was done, or the
// contract has no reason for the kind, there is nothing to say.
func Applied(kind, name string, result apply.Result) []v1alpha2.Condition {
	reason := applied[kind][result]
	if reason == "" {
		return nil
	}
	verb := "updated"
	if result == apply.Created {
		verb = "created"
	}
	return []v1alpha2.Condition{Condition(v1alpha2.ConditionRunning, corev1.ConditionUnknown, reason, fmt.Sprintf("%s %s %s", kind, name, verb))}
}

// NotApplied is the message about a child that is not as it has to be
// (contract/functions.md 2.5).
func NotApplied(err error) string {
	if refused, is := errors.AsType[*apply.WriteError](err); is {
		return fmt.Sprintf("%s %s %s error: %v", refused.Kind, refused.Name, refused.Verb(), refused.Err)
	}
	if foreign, is := errors.AsType[*apply.ForeignError](err); is {
		return fmt.Sprintf("%s %s create error: %v", foreign.Kind, foreign.Object.GetName(), err)
	}
	return err.Error()
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
// front, and returns those which changed, in the order of the report. Of
// several of one type the last stays; all are returned. The dashboard and the
// CLI show the first condition as the newest (contract/functions.md 2.5).
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
		if find(merged, changed[i].Type) == nil {
			merged = append(merged, changed[i])
		}
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
