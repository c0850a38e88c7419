package validation

import (
	"fmt"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// SecretReference is a place of a spec that names a Secret of the Function's
// namespace without which the Function can't run.
type SecretReference struct {
	// Field is the place's path.
	Field string
	// Name of the Secret.
	Name string
	// Until says what can't be done until it is there.
	Until string
}

// What of a Function waits for a Secret. Pods try again by themselves; those
// of the former revision serve meanwhile.
const (
	untilSource = "the source can't be read until it is created"
	untilPods   = "new Pods can't start until it is created"
)

// Missing is the warning that the Secret is not there.
func (r SecretReference) Missing() string {
	return fmt.Sprintf("%s: Secret %q does not exist yet in this namespace; %s", r.Field, r.Name, r.Until)
}

// Secrets returns the Secrets that a Function needs.
func Secrets(fn *v1alpha2.Function) []SecretReference {
	var references []SecretReference
	if repository := fn.Spec.Source.GitRepository; repository != nil && repository.Auth != nil {
		references = append(references, SecretReference{"spec.source.gitRepository.auth.secretName", repository.Auth.SecretName, untilSource})
	}
	for i, mount := range fn.Spec.SecretMounts {
		references = append(references, SecretReference{fmt.Sprintf("spec.secretMounts[%d].secretName", i), mount.SecretName, untilPods})
	}
	for i, variable := range fn.Spec.Env {
		if variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
			continue
		}
		reference := variable.ValueFrom.SecretKeyRef
		if reference.Optional == nil || !*reference.Optional {
			until := fmt.Sprintf("%s with the key %q", untilPods, reference.Key)
			references = append(references, SecretReference{fmt.Sprintf("spec.env[%d].valueFrom.secretKeyRef", i), reference.Name, until})
		}
	}
	return references
}
