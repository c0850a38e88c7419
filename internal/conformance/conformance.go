// Package conformance checks a module's bundle against what lifecycle-manager,
// the dashboard and the CLI do with it (contract sections 1.3 to 1.6, 2.4 and
// 4). Most of what breaks a rule is not reported by them: it makes a module
// that is never ready, or silently stays at its former version.
package conformance

import (
	"context"
	"errors"
	"fmt"

	"oras.land/oras-go/v2"
)

// Rule is one thing that those who consume a bundle rely on.
type Rule string

// The rules, from the outside in.
const (
	// The artifact.
	RuleVersion          Rule = "version"           // the tag is a version without +
	RuleArtifact         Rule = "artifact"          // an OCI image manifest with blobs that are there
	RuleConfigMediaType  Rule = "config-media-type" // that of OCM's configuration
	RuleDescriptorLayer  Rule = "descriptor-layer"  // the configuration names the layer, an archive
	RuleDescriptorFile   Rule = "descriptor-file"   // its entry is component-descriptor.yaml
	RuleDescriptorSize   Rule = "descriptor-size"   // of at most 100 KiB
	RuleUncompressed     Rule = "uncompressed"      // archives are not compressed
	RuleDescriptorSchema Rule = "descriptor-schema" // OCM's schema v2

	// The descriptor.
	RuleComponent          Rule = "component"           // name and version are those of the artifact
	RuleRepositoryContexts Rule = "repository-contexts" // one at least, of an OCI registry
	RuleAccess             Rule = "access"              // types that lifecycle-manager knows
	RuleLocalBlob          Rule = "local-blob"          // the layer is there, of the same media type and digest
	RuleManifestMediaType  Rule = "manifest-media-type" // application/x-tar
	RuleManifestFile       Rule = "manifest-file"       // one file of YAML objects
	RuleImageTag           Rule = "image-tag"           // each image has a tag that stays
	RuleImageResources     Rule = "image-resources"     // those of the manifest are the component's, and replaceable

	// The manifest.
	RuleNamespace      Rule = "namespace"        // everything that can have one has kyma-system
	RuleLabels         Rule = "labels"           // those of Kyma's modules
	RuleVersionLabel   Rule = "version-label"    // app.kubernetes.io/version is the module's
	RuleSeparator      Rule = "separator"        // no --- but between documents
	RuleWorkload       Rule = "workload"         // a Deployment or StatefulSet, for the module's state
	RuleImageVariables Rule = "image-variables"  // images are in IMAGE_ variables, and nowhere else
	RuleLooksLikeImage Rule = "looks-like-image" // no other value passes for an image
	RulePullSecret     Rule = "pull-secret"      // SKR_IMG_PULL_SECRET is lifecycle-manager's to set

	// The ModuleTemplate.
	RuleTemplate  Rule = "module-template" // name, labels and fields of the API
	RuleDefaultCR Rule = "default-cr"      // a whole object, the same in bundle and template
	RuleManager   Rule = "manager"         // what it names is in the manifest
)

// Violation is a rule that a bundle breaks.
type Violation struct {
	Rule   Rule
	Detail string
}

func (v Violation) Error() string { return fmt.Sprintf("%s: %s", v.Rule, v.Detail) }

// Check reads the bundle of a version back from where it was published. The
// error joins all violations; errors of another type say that the bundle could
// not be read. One of a blob that is needed further on ends the check.
func Check(ctx context.Context, from oras.ReadOnlyTarget, component, version string) error {
	check := &check{from: from, component: component, version: version}
	if err := check.run(ctx); err != nil {
		return err
	}
	return errors.Join(check.violations...)
}

// check collects what is wrong.
type check struct {
	from               oras.ReadOnlyTarget
	component, version string
	violations         []error
}

func (c *check) violate(rule Rule, format string, values ...any) {
	c.violations = append(c.violations, Violation{rule, fmt.Sprintf(format, values...)})
}

func (c *check) run(ctx context.Context) error {
	artifact, err := c.readArtifact(ctx)
	if err != nil || artifact == nil {
		return err
	}
	descriptor := c.readDescriptor(artifact)
	if descriptor == nil {
		return nil
	}
	if descriptor.Meta.SchemaVersion != "v2" {
		c.violate(RuleDescriptorSchema, "schema version %q, want v2", descriptor.Meta.SchemaVersion)
	}
	c.checkComponent(&descriptor.Component)
	local := c.checkResources(artifact, &descriptor.Component)
	installed := c.readManifest(local)
	c.checkImageResources(installed, &descriptor.Component)
	c.checkManifest(installed)
	c.checkTemplate(installed, local)
	return nil
}
