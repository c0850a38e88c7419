package conformance

import (
	"regexp"
	"slices"

	"github.com/opencontainers/go-digest"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/internal/moduleconfig"
)

var (
	localAccess = []string{"localBlob", "localBlob/v1", "localOciBlob", "localOciBlob/v1"}
	imageAccess = []string{"ociArtifact", "ociArtifact/v1", "ociRegistry", "ociRegistry/v1"}

	resourceName = regexp.MustCompile(`^[a-z0-9]([-_+a-z0-9]*[a-z0-9])$`)
	labelVersion = regexp.MustCompile(`^v[0-9]+$`)
)

func (c *check) checkComponent(component *bundle.Component) {
	if component.Name != c.component || moduleconfig.CheckName(component.Name) != nil {
		c.violate(RuleComponent, "the name is %q, want %q", component.Name, c.component)
	}
	if component.Version != c.version {
		c.violate(RuleComponent, "the version is %q, want that of the tag, %q", component.Version, c.version)
	}
	if component.Provider == "" {
		c.violate(RuleDescriptorSchema, "the component has no provider")
	}
	c.checkLabels("the component", component.Labels)
	for _, source := range component.Sources {
		if source.Name == "" || source.Version == "" || source.Type == "" || source.Access.Type == "" {
			c.violate(RuleDescriptorSchema, "source %q lacks name, version, type or access", source.Name)
		}
		c.checkLabels("source "+source.Name, source.Labels)
	}
	contexts := component.RepositoryContexts
	if len(contexts) == 0 {
		c.violate(RuleRepositoryContexts, "there is none; without one lifecycle-manager finds no layers, and an update silently changes nothing")
		return
	}
	last := contexts[len(contexts)-1]
	mapped := last.ComponentNameMapping == "" || last.ComponentNameMapping == bundle.MappingURLPath || last.ComponentNameMapping == "sha256-digest"
	if (last.Type != bundle.ContextOCI && last.Type != bundle.ContextOCI+"/v1") || last.BaseURL == "" || !mapped {
		c.violate(RuleRepositoryContexts, "the last one is %+v, want an %s with a baseUrl and a known mapping", last, bundle.ContextOCI)
	}
}

func (c *check) checkLabels(of string, labels []bundle.Label) {
	for _, label := range labels {
		if label.Name == "" || label.Value == nil || (label.Version != "" && !labelVersion.MatchString(label.Version)) {
			c.violate(RuleDescriptorSchema, "%s has the label %+v, want name, value, and a version such as v1", of, label)
		}
	}
}

// checkResources returns the blobs of local resources by name.
func (c *check) checkResources(read *artifact, component *bundle.Component) map[string][]byte {
	local := map[string][]byte{}
	for _, resource := range component.Resources {
		if !resourceName.MatchString(resource.Name) || resource.Version == "" || resource.Type == "" {
			c.violate(RuleDescriptorSchema, "resource %q lacks a name in lower case, a version or a type", resource.Name)
		}
		c.checkLabels("resource "+resource.Name, resource.Labels)
		switch resource.Relation {
		case bundle.RelationLocal:
			if resource.Version != component.Version {
				c.violate(RuleDescriptorSchema, "local resource %s has version %s, want that of the component", resource.Name, resource.Version)
			}
		case bundle.RelationExternal:
		default:
			c.violate(RuleDescriptorSchema, "resource %s has the relation %q", resource.Name, resource.Relation)
		}
		switch {
		case slices.Contains(localAccess, resource.Access.Type):
			if blob, ok := c.checkLocalBlob(read, resource); ok {
				local[resource.Name] = blob
			}
		case !slices.Contains(imageAccess, resource.Access.Type):
			c.violate(RuleAccess, "resource %s has the type %q, which lifecycle-manager does not know", resource.Name, resource.Access.Type)
		}
	}
	return local
}

func (c *check) checkLocalBlob(read *artifact, resource bundle.Resource) ([]byte, bool) {
	layer, found := read.layer(resource.Access.LocalReference)
	if !found {
		c.violate(RuleLocalBlob, "resource %s refers to %q, which is no layer", resource.Name, resource.Access.LocalReference)
		return nil, false
	}
	if layer.MediaType != resource.Access.MediaType {
		c.violate(RuleLocalBlob, "resource %s has the media type %s, its layer %s", resource.Name, resource.Access.MediaType, layer.MediaType)
	}
	if resource.Digest != nil && resource.Digest.Value != layer.Digest.Encoded() {
		c.violate(RuleLocalBlob, "resource %s has the digest %s, its layer %s", resource.Name, resource.Digest.Value, layer.Digest)
	}
	if resource.Name == bundle.RawManifest && resource.Access.MediaType != bundle.MediaTypeTar {
		c.violate(RuleManifestMediaType, "%s, want %s: lifecycle-manager takes the blob of any other for YAML", resource.Access.MediaType, bundle.MediaTypeTar)
	}
	blob := read.blobs[digest.Digest(resource.Access.LocalReference)]
	return blob, blob != nil
}

// checkImageResources: lifecycle-manager replaces images by those of the
// component, so that all have to be there, and as it looks for them.
func (c *check) checkImageResources(installed *installation, component *bundle.Component) {
	listed := map[string]bool{}
	for _, resource := range component.Resources {
		if slices.Contains(localAccess, resource.Access.Type) {
			continue
		}
		reference := resource.Access.ImageReference
		if resource.Access.Type != bundle.AccessOCIArtifact {
			c.violate(RuleImageResources, "%s has the type %s, of which images are not replaced; want %s", resource.Name, resource.Access.Type, bundle.AccessOCIArtifact)
		}
		if err := manifest.CheckImage(reference); err != nil {
			c.violate(RuleImageTag, "resource %s: %v", resource.Name, err)
		}
		listed[reference] = true
	}
	if installed == nil {
		return
	}
	images := manifest.Images(installed.workloads)
	for _, image := range images {
		if !listed[image] {
			c.violate(RuleImageResources, "%s is in the manifest and not among the component's resources", image)
		}
		delete(listed, image)
	}
	for image := range listed {
		c.violate(RuleImageResources, "%s is among the component's resources and not in the manifest", image)
	}
}
