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
}

// Missing is the warning that the Secret is not there.
func (r SecretReference) Missing() string {
	return fmt.Sprintf("%s: Secret %q does not exist yet in this namespace; the Function waits until it is created", r.Field, r.Name)
}

// Secrets returns the Secrets that a Function needs.
func Secrets(fn *v1alpha2.Function) []SecretReference {
	var references []SecretReference
	if repository := fn.Spec.Source.GitRepository; repository != nil && repository.Auth != nil {
		references = append(references, SecretReference{"spec.source.gitRepository.auth.secretName", repository.Auth.SecretName})
	}
	for i, mount := range fn.Spec.SecretMounts {
		references = append(references, SecretReference{fmt.Sprintf("spec.secretMounts[%d].secretName", i), mount.SecretName})
	}
	for i, variable := range fn.Spec.Env {
		if variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
			continue
		}
		reference := variable.ValueFrom.SecretKeyRef
		if reference.Optional == nil || !*reference.Optional {
			references = append(references, SecretReference{fmt.Sprintf("spec.env[%d].valueFrom.secretKeyRef", i), reference.Name})
		}
	}
	return references
}
