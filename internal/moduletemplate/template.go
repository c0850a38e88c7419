// Package moduletemplate writes what tells Kyma's control plane of a module:
// the ModuleTemplate of a version, and the ModuleReleaseMeta of its channels
// (contract sections 1.1 and 1.2).
package moduletemplate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kyma-project/lifecycle-manager/api/shared"
	"github.com/kyma-project/lifecycle-manager/api/v1beta2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/moduleconfig"
)

// Annotations and labels of the contract that the API's Go types don't name.
const (
	annotationClusterScoped = "operator.kyma-project.io/is-cluster-scoped"
	labelModuleName         = "operator.kyma-project.io/module-name"
)

// New returns the ModuleTemplate of a configuration, with the default CR, if
// there is one, in it.
func New(config *moduleconfig.Config, defaultCR *unstructured.Unstructured, clusterScoped bool) *v1beta2.ModuleTemplate {
	template := &v1beta2.ModuleTemplate{
		TypeMeta: metav1.TypeMeta{APIVersion: v1beta2.GroupVersion.String(), Kind: "ModuleTemplate"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        v1beta2.CreateModuleTemplateName(config.Module(), config.Version),
			Labels:      map[string]string{},
			Annotations: map[string]string{},
		},
		Spec: v1beta2.ModuleTemplateSpec{
			ModuleName: config.Module(), Version: config.Version, RequiresDowntime: config.RequiresDowntime,
			Info: &v1beta2.ModuleInfo{Repository: config.Repository, Documentation: config.Documentation},
			Data: defaultCR,
			// The schema asks for it; what counts is read from the registry.
			Descriptor: runtime.RawExtension{Raw: []byte("{}")},
		},
	}
	maps.Copy(template.Labels, config.Labels)
	maps.Copy(template.Annotations, config.Annotations)
	template.Labels[labelModuleName] = config.Module()
	template.Annotations[annotationClusterScoped] = fmt.Sprint(clusterScoped)
	if config.Beta {
		template.Labels[shared.BetaLabel] = shared.EnableLabelValue
	}
	if config.Internal {
		template.Labels[shared.InternalLabel] = shared.EnableLabelValue
	}
	for _, icon := range config.Icons {
		template.Spec.Info.Icons = append(template.Spec.Info.Icons, v1beta2.ModuleIcon{Name: icon.Name, Link: icon.Link})
	}
	for _, kind := range config.AssociatedResources {
		template.Spec.AssociatedResources = append(template.Spec.AssociatedResources, metav1.GroupVersionKind(kind))
	}
	for _, resource := range config.Resources {
		template.Spec.Resources = append(template.Spec.Resources, v1beta2.Resource{Name: resource.Name, Link: resource.Link})
	}
	if config.Manager != nil {
		template.Spec.Manager = &v1beta2.Manager{
			GroupVersionKind: metav1.GroupVersionKind(config.Manager.Kind), Name: config.Manager.Name, Namespace: config.Manager.Namespace,
		}
	}
	return template
}

// Releases returns the ModuleReleaseMeta that assigns versions to channels.
func Releases(config *moduleconfig.Config, channels map[string]string) *v1beta2.ModuleReleaseMeta {
	releases := &v1beta2.ModuleReleaseMeta{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1beta2.GroupVersion.String(), Kind: "ModuleReleaseMeta"},
		ObjectMeta: metav1.ObjectMeta{Name: config.Module()},
		Spec: v1beta2.ModuleReleaseMetaSpec{
			ModuleName: config.Module(), OcmComponentName: config.Name, Beta: config.Beta, Internal: config.Internal,
		},
	}
	for _, channel := range slices.Sorted(maps.Keys(channels)) {
		releases.Spec.Channels = append(releases.Spec.Channels, v1beta2.ChannelVersionAssignment{Channel: channel, Version: channels[channel]})
	}
	return releases
}

// YAML writes either, without what the API server fills in.
func YAML(object any) ([]byte, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", object, err)
	}
	// Empty, they are refused by the schema's patterns or say nothing.
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	for _, field := range []string{"channel", "mandatory"} {
		if value, _, _ := unstructured.NestedFieldNoCopy(fields, "spec", field); value == "" || value == false {
			unstructured.RemoveNestedField(fields, "spec", field)
		}
	}
	text, err := yaml.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", object, err)
	}
	return text, nil
}
