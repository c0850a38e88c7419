package status

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
)

// GitSourceUpdated says that the commit of a Git source is known.
func GitSourceUpdated(function string) v1alpha2.Condition {
	return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonSourceUpdated,
		fmt.Sprintf("Sources %s updated", function))
}

// GitSourceAsked says that the Git server was not heard yet. What it said
// before, to an earlier controller, stays.
func GitSourceAsked(former *v1alpha2.Condition, address, reference string) v1alpha2.Condition {
	if former != nil && (former.Reason == v1alpha2.ReasonSourceUpdated || former.Reason == v1alpha2.ReasonSourceUpdateFailed) {
		return *former
	}
	return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionUnknown, v1alpha2.ReasonSourceUpdated,
		fmt.Sprintf("Looking for %s in %s", reference, address))
}

// GitSourceFailed says why the commit of a Git source can't be found
// (contract/functions.md 2.8).
func GitSourceFailed(err error) v1alpha2.Condition {
	message := "Sources update failed, reason: " + err.Error()
	var refused *git.AuthorizationError
	var missing *git.NotFoundError
	switch {
	case errors.As(err, &refused):
		message = "Authorization to git server failed"
	case errors.As(err, &missing):
		message = "Stop reconciliation, reason: " + err.Error()
	}
	return Condition(v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonSourceUpdateFailed, message)
}
