// Package validation says what is wrong with a Function's spec. It holds the
// rules which the CRD's own schema can't express (contract/functions.md 2.4).
package validation

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

// Function returns a message for each rule that the Function breaks.
func Function(fn *v1alpha2.Function, profiles preset.Config) []string {
	var errs []string
	errs = append(errs, name(fn.Name)...)
	if config := fn.Spec.ResourceConfiguration; config != nil {
		errs = append(errs, resources("Function", config.Function, profiles.Function)...)
		errs = append(errs, resources("Build", config.Build, profiles.BuildJob)...)
	}
	errs = append(errs, env(fn.Spec.Env)...)
	errs = append(errs, secretMounts(fn.Spec.SecretMounts)...)
	errs = append(errs, dependencies(fn)...)
	errs = append(errs, metadata(fn)...)
	errs = append(errs, gitURL(fn.Spec.Source.GitRepository)...)
	return errs
}

// name holds a Function to what its Service, which has the same name, may be called.
func name(name string) []string {
	var errs []string
	for _, message := range k8svalidation.IsDNS1035Label(name) {
		errs = append(errs, fmt.Sprintf("metadata.name: %s can't name a Service: %s; create the Function under another name", name, message))
	}
	return errs
}

func resources(subject string, asked *v1alpha2.ResourceRequirements, profiles preset.Profiles) []string {
	if asked == nil || asked.Resources == nil {
		return nil
	}
	var errs []string
	limits, requests := asked.Resources.Limits, asked.Resources.Requests
	for _, kind := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		minimum := profiles.Resources.MinRequestCPU
		if kind == corev1.ResourceMemory {
			minimum = profiles.Resources.MinRequestMemory
		}
		limit, hasLimit := limits[kind]
		request, hasRequest := requests[kind]
		if hasLimit && limit.Cmp(minimum) < 0 {
			errs = append(errs, fmt.Sprintf("%s limits %s(%s) should be higher than minimal value (%s)", subject, kind, &limit, &minimum))
		}
		if hasRequest && request.Cmp(minimum) < 0 {
			errs = append(errs, fmt.Sprintf("%s request %s(%s) should be higher than minimal value (%s)", subject, kind, &request, &minimum))
		}
		if hasLimit && hasRequest && limit.Cmp(request) < 0 {
			errs = append(errs, fmt.Sprintf("%s limits %s(%s) should be higher than requests %s(%s)", subject, kind, &limit, kind, &request))
		}
	}
	return errs
}

func env(vars []corev1.EnvVar) []string {
	var errs []string
	for _, variable := range vars {
		for _, message := range k8svalidation.IsEnvVarName(variable.Name) {
			errs = append(errs, fmt.Sprintf("spec.env: %s. Err: %s", variable.Name, message))
		}
	}
	return errs
}

func dependencies(fn *v1alpha2.Function) []string {
	if fn.Spec.Source.Inline == nil || !runtime.IsNodeJS(fn.Spec.Runtime) {
		return nil
	}
	text := strings.TrimSpace(fn.Spec.Source.Inline.Dependencies)
	if text != "" && !(strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")) {
		return []string{"invalid source.inline.dependencies value: deps should start with '{' and end with '}'"}
	}
	// The build reads them in the same way.
	if _, err := source.Inline(fn.Spec.Source.Inline, runtime.Runtime{Name: fn.Spec.Runtime}); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func metadata(fn *v1alpha2.Function) []string {
	errs := metav1validation.ValidateLabels(fn.Spec.Labels, field.NewPath("spec", "labels"))
	errs = append(errs, apivalidation.ValidateAnnotations(fn.Spec.Annotations, field.NewPath("spec", "annotations"))...)
	var messages []string
	for _, err := range errs {
		messages = append(messages, err.Error())
	}
	return messages
}

// sshURL matches the addresses that ssh understands and url.ParseRequestURI does not.
var sshURL = regexp.MustCompile(`^((git|ssh)://|[\w.-]+@[\w.-]+:)[\w./~:@-]+$`)

// gitSchemes reach a server; other schemes would read this machine's files.
var gitSchemes = []string{"https", "http", "ssh", "git"}

// userInfo of a URL may hold a password.
var userInfo = regexp.MustCompile(`//[^/@]*@`)

func gitURL(repository *v1alpha2.GitRepositorySource) []string {
	if repository == nil || sshURL.MatchString(repository.URL) {
		return nil
	}
	parsed, err := url.ParseRequestURI(repository.URL)
	var wrong *url.Error
	if errors.As(err, &wrong) {
		wrong.URL = userInfo.ReplaceAllString(wrong.URL, "//***@")
		return []string{fmt.Sprintf("source.gitRepository.URL: %v", wrong)}
	}
	if err != nil || !slices.Contains(gitSchemes, parsed.Scheme) || parsed.Host == "" {
		return []string{"source.gitRepository.URL: it is no address of a Git server; use https://, http://, ssh:// or git@host:path"}
	}
	return nil
}
