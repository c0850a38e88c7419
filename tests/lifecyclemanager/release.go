// Package lifecyclemanager plays the part of Kyma's lifecycle-manager for one
// cluster: from what a control plane knows of a module, over the module's
// bundle in a registry, to objects in the cluster, and away again. It knows
// nothing of how a module is made: contract/kyma.md 1.1 to 1.6 is its source.
package lifecyclemanager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kyma-project/lifecycle-manager/api/v1beta2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// ControlPlane knows modules by their files.
type ControlPlane struct {
	// Registry has the bundles.
	Registry string
	// Releases is the file of the ModuleReleaseMeta.
	Releases string
	// Templates are the files of ModuleTemplates.
	Templates []string
}

// Module is a version of a module, ready to be applied.
type Module struct {
	Name, Version string
	// Objects of the manifest, with images and labels as lifecycle-manager sets them.
	Objects []*unstructured.Unstructured
	// DefaultCR enables the module.
	DefaultCR *unstructured.Unstructured
}

// Resolve finds the version that a channel has of the module, and reads it
// from the registry.
func (c *ControlPlane) Resolve(ctx context.Context, module, channel string) (*Module, error) {
	var releases v1beta2.ModuleReleaseMeta
	if err := readYAML(c.Releases, &releases); err != nil {
		return nil, err
	}
	if releases.Name != module {
		return nil, fmt.Errorf("no ModuleReleaseMeta found for module %s", module)
	}
	version := ""
	for _, assigned := range releases.Spec.Channels {
		if assigned.Channel == channel {
			version = assigned.Version
		}
	}
	if version == "" {
		return nil, fmt.Errorf("module %s has no version in channel %s", module, channel)
	}
	template, err := c.template(module + "-" + version)
	if err != nil {
		return nil, err
	}
	found, err := readBundle(c.Registry, releases.Spec.OcmComponentName, version)
	if err != nil {
		return nil, err
	}
	objects, err := found.objects(module)
	if err != nil {
		return nil, fmt.Errorf("manifest of module %s %s: %w", module, version, err)
	}
	result := &Module{Name: module, Version: version, Objects: objects}
	if template.Spec.Data != nil {
		result.DefaultCR = template.Spec.Data.DeepCopy()
		if result.DefaultCR.GetNamespace() == "" {
			result.DefaultCR.SetNamespace(syncNamespace)
		}
	}
	return result, nil
}

func (c *ControlPlane) template(name string) (*v1beta2.ModuleTemplate, error) {
	for _, file := range c.Templates {
		var template v1beta2.ModuleTemplate
		if err := readYAML(file, &template); err != nil {
			return nil, err
		}
		if template.Name == name {
			return &template, nil
		}
	}
	return nil, fmt.Errorf("no ModuleTemplate %s", name)
}

func readYAML(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("decode %s: %w", filepath.Base(file), err)
	}
	return nil
}
