package module_test

import (
	"errors"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

// The events tell all that a status says, so they stand for it here.
func TestReport(t *testing.T) {
	configuration := module.Configuration{
		Registry: module.Registry{Internal: true},
		Presets:  module.Presets{BuildJob: "slow", RuntimePod: "XS"},
		Log:      module.Log{Level: "info", Format: "json"},
	}
	warned := configuration
	warned.Warnings = []string{"a", "b"}
	configured := []string{
		"Normal Configuration: Default build job preset set from '' to 'slow'",
		"Normal Configuration: Default runtime pod preset set from '' to 'XS'",
		"Normal Configuration: Log level set from '' to 'info'",
		"Normal Configuration: Log format set from '' to 'json'",
		"Normal Configured: Configuration ready",
	}
	served := &v1alpha1.Serverless{}
	served.Namespace, served.Name = "kyma-system", "default"

	for _, test := range []struct {
		name   string
		report module.Report
		state  v1alpha1.State
		events []string
	}{
		{"redundant", module.Redundant(served), v1alpha1.StateWarning, []string{
			"Warning ServerlessDuplicated: Only one instance of Serverless is allowed (current served instance: kyma-system/default). " +
				"This Serverless CR is redundant. Remove it to fix the problem."}},
		{"configuration failed", module.ConfigurationFailed(errors.New("x")), v1alpha1.StateError,
			[]string{"Warning ConfigurationErr: x"}},
		{"installing", module.Installing(configuration), v1alpha1.StateProcessing,
			append(slices.Clone(configured), "Normal Installation: Installing for configuration")},
		{"waiting", module.Waiting(configuration, []string{"x", "y"}), v1alpha1.StateProcessing,
			append(slices.Clone(configured), "Normal Installation: Waiting for x; y")},
		{"installation failed", module.InstallationFailed(configuration, errors.New("x")), v1alpha1.StateError,
			append(slices.Clone(configured), "Warning InstallationErr: x")},
		{"installed", module.Installed(configuration), v1alpha1.StateReady,
			append(slices.Clone(configured), "Normal Installed: Serverless installed")},
		{"installed with warnings", module.Installed(warned), v1alpha1.StateWarning,
			append(slices.Clone(configured), "Warning Installed: Warning: a; b")},
		{"uninstalling", module.Uninstalling(module.Removal{Step: module.RemovalOfAll}), v1alpha1.StateDeleting,
			[]string{"Normal Deletion: Uninstalling"}},
		{"deleting secrets", module.Uninstalling(module.Removal{Step: module.RemovalOfSecrets}), v1alpha1.StateDeleting,
			[]string{"Normal Deletion: Deleting secrets"}},
		{"held", module.Uninstalling(module.Removal{Step: module.RemovalOfAll, Held: "Kind a/b, held by finalizer c"}), v1alpha1.StateDeleting,
			[]string{"Normal Deletion: Uninstalling: Kind a/b, held by finalizer c"}},
		{"blocked", module.UninstallationBlocked(module.Functions{Count: 2, First: []string{"a/f", "b/g"}}), v1alpha1.StateWarning,
			[]string{"Warning DeletionErr: found 2 items with VersionKind serverless.kyma-project.io/v1alpha2: a/f, b/g"}},
		{"blocked by many", module.UninstallationBlocked(module.Functions{Count: 7, First: []string{"a/f", "a/g", "a/h", "a/i", "a/j"}}), v1alpha1.StateWarning,
			[]string{"Warning DeletionErr: found 7 items with VersionKind serverless.kyma-project.io/v1alpha2: a/f, a/g, a/h, a/i, a/j and 2 more"}},
		{"uninstallation failed", module.UninstallationFailed(errors.New("x")), v1alpha1.StateError,
			[]string{"Warning DeletionErr: x"}},
		{"uninstalled", module.Uninstalled(), v1alpha1.StateDeleting,
			[]string{"Normal Deleted: Serverless module deleted"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := v1alpha1.ServerlessStatus{}
			after := test.report.Status(before, 1)
			if after.State != test.state {
				t.Errorf("state %s, want %s", after.State, test.state)
			}
			if got := texts(module.Events(before, after)); !slices.Equal(got, test.events) {
				t.Errorf("events %q, want %q", got, test.events)
			}
			if again := module.Events(after, test.report.Status(after, 2)); len(again) != 0 {
				t.Errorf("events %q of the same report again, want none", texts(again))
			}
		})
	}
}

func TestDeletedIsTrueWhileSecretsGoAndWhenNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		report module.Report
		want   metav1.ConditionStatus
	}{
		{module.Uninstalling(module.Removal{Step: module.RemovalOfSecrets}), metav1.ConditionTrue},
		{module.Uninstalling(module.Removal{Step: module.RemovalOfAll}), metav1.ConditionUnknown},
		{module.UninstallationBlocked(module.Functions{Count: 1}), metav1.ConditionFalse},
		{module.UninstallationFailed(errors.New("x")), metav1.ConditionFalse},
		{module.Uninstalled(), metav1.ConditionTrue},
	} {
		condition := test.report.Conditions[0]
		if condition.Type != "Deleted" || condition.Status != test.want {
			t.Errorf("%s is %s while %q, want %s", condition.Type, condition.Status, condition.Message, test.want)
		}
	}
}

func texts(events []module.Event) []string {
	var texts []string
	for _, event := range events {
		texts = append(texts, event.Type+" "+event.Reason+": "+event.Message)
	}
	return texts
}
