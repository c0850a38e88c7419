package conformance

import (
	"bytes"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/manifest"
)

// kymaSystem is where modules live.
const kymaSystem = "kyma-system"

// withoutNamespace are the kinds in a manifest that have none.
var withoutNamespace = []string{
	"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PriorityClass",
	"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
}

// variablesOfKyma are set by lifecycle-manager and by restricted markets.
var variablesOfKyma = []string{"SKR_IMG_PULL_SECRET", "KYMA_FIPS_MODE_ENABLED"}

// required are the labels of section 4; the version's has a rule of its own.
var required = []string{
	"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app.kubernetes.io/part-of",
	"app.kubernetes.io/managed-by", "kyma-project.io/module",
}

// installation is what the raw manifest has.
type installation struct {
	text      []byte
	objects   []*unstructured.Unstructured
	workloads []manifest.Workload
}

// readManifest returns nil if there is nothing to go on with.
func (c *check) readManifest(local map[string][]byte) *installation {
	archive, found := local[bundle.RawManifest]
	if !found {
		c.violate(RuleManifestFile, "there is no resource %s", bundle.RawManifest)
		return nil
	}
	text, _, ok := c.onlyFile(archive, RuleManifestFile, "the manifest")
	if !ok {
		return nil
	}
	objects, err := manifest.Parse(text)
	if err != nil || len(objects) == 0 {
		c.violate(RuleManifestFile, "%d objects, %v", len(objects), err)
		return nil
	}
	workloads, err := manifest.Workloads(objects)
	if err != nil {
		c.violate(RuleManifestFile, "%v", err)
		return nil
	}
	return &installation{text, objects, workloads}
}

func (c *check) checkManifest(installed *installation) {
	if installed == nil {
		return
	}
	c.checkSeparators(installed.text)
	for _, object := range installed.objects {
		c.checkObject(object)
	}
	if len(installed.workloads) == 0 {
		c.violate(RuleWorkload, "there is none: lifecycle-manager would call the module ready at once")
	}
	for _, workload := range installed.workloads {
		c.checkEnvironment(workload)
	}
}

// checkSeparators: the CLI splits the text wherever three dashes are.
func (c *check) checkSeparators(text []byte) {
	for number, line := range bytes.Split(text, []byte("\n")) {
		if bytes.Contains(line, []byte("---")) && strings.TrimRight(string(line), " \r") != "---" {
			c.violate(RuleSeparator, "line %d has --- inside a value: %.60q", number+1, line)
		}
	}
}

func (c *check) checkObject(object *unstructured.Unstructured) {
	name := object.GetKind() + " " + object.GetName()
	switch namespaced := !slices.Contains(withoutNamespace, object.GetKind()); {
	case namespaced && object.GetNamespace() != kymaSystem:
		c.violate(RuleNamespace, "%s is in %q, want %s: lifecycle-manager would put it into default", name, object.GetNamespace(), kymaSystem)
	case !namespaced && object.GetNamespace() != "":
		c.violate(RuleNamespace, "%s can't have one, and has %s", name, object.GetNamespace())
	}
	labels := object.GetLabels()
	for _, key := range required {
		if labels[key] == "" {
			c.violate(RuleLabels, "%s has no label %s", name, key)
		}
	}
	if labels[manifest.VersionLabel] != c.version {
		c.violate(RuleVersionLabel, "%s has %s=%q, want %s", name, manifest.VersionLabel, labels[manifest.VersionLabel], c.version)
	}
	// Images are replaced in workloads only.
	if object.GetKind() == "ConfigMap" {
		data, _, _ := unstructured.NestedStringMap(object.Object, "data")
		for key, value := range data {
			if manifest.PassesForImage(value) && manifest.CheckImage(value) == nil {
				c.violate(RuleImageVariables, "%s has the image %s in %s", name, value, key)
			}
		}
	}
}

func (c *check) checkEnvironment(workload manifest.Workload) {
	name := workload.GetKind() + " " + workload.GetName()
	if workload.Pod.Labels["kyma-project.io/module"] == "" {
		c.violate(RuleLabels, "the Pods of %s have no label kyma-project.io/module", name)
	}
	for _, container := range workload.Containers() {
		if err := manifest.CheckImage(container.Image); err != nil {
			c.violate(RuleImageTag, "container %s of %s: %v", container.Name, name, err)
		}
		for _, arg := range slices.Concat(container.Command, container.Args) {
			if _, value, found := strings.Cut(arg, "="); found && strings.Contains(value, "/") && manifest.PassesForImage(value) && manifest.CheckImage(value) == nil {
				c.violate(RuleImageVariables, "an argument of %s names the image %s, which is not replaced there", name, value)
			}
		}
		for _, variable := range container.Env {
			c.checkVariable(name, variable.Name, variable.Value)
		}
	}
}

func (c *check) checkVariable(of, variable, value string) {
	image := strings.HasPrefix(variable, manifest.ImageVariablePrefix)
	switch err := manifest.CheckImage(value); {
	case slices.Contains(variablesOfKyma, variable):
		c.violate(RulePullSecret, "%s sets %s, which is for others to set", of, variable)
	case image && err != nil:
		c.violate(RuleImageTag, "%s of %s: %v", variable, of, err)
	case image && !strings.Contains(value, "/"):
		c.violate(RuleImageVariables, "%s of %s is %q, want it with its registry", variable, of, value)
	case !image && manifest.PassesForImage(value):
		c.violate(RuleLooksLikeImage, "%s of %s is %q, which passes for an image", variable, of, value)
	}
}
