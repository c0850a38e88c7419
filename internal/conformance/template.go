package conformance

import (
	"reflect"

	"github.com/kyma-project/lifecycle-manager/api/v1beta2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/moduleconfig"
)

func (c *check) checkTemplate(installed *installation, local map[string][]byte) {
	text, found := local[bundle.ModuleTemplate]
	if !found {
		c.violate(RuleTemplate, "there is no resource %s", bundle.ModuleTemplate)
		return
	}
	var template v1beta2.ModuleTemplate
	if err := yaml.UnmarshalStrict(text, &template); err != nil {
		c.violate(RuleTemplate, "%v", err)
		return
	}
	module := (&moduleconfig.Config{Name: c.component}).Module()
	for _, field := range []struct{ name, got, want string }{
		{"apiVersion", template.APIVersion, v1beta2.GroupVersion.String()},
		{"kind", template.Kind, "ModuleTemplate"},
		{"metadata.name", template.Name, v1beta2.CreateModuleTemplateName(module, c.version)},
		{"spec.moduleName", template.Spec.ModuleName, module},
		{"spec.version", template.Spec.Version, c.version},
		{"label operator.kyma-project.io/module-name", template.Labels["operator.kyma-project.io/module-name"], module},
	} {
		if field.got != field.want {
			c.violate(RuleTemplate, "%s is %q, want %q", field.name, field.got, field.want)
		}
	}
	if template.Spec.Descriptor.Raw == nil {
		c.violate(RuleTemplate, "spec.descriptor is missing, and the schema asks for it")
	}
	if info := template.Spec.Info; info == nil || info.Repository == "" || info.Documentation == "" || len(info.Icons) == 0 {
		c.violate(RuleTemplate, "spec.info lacks repository, documentation or icons, which the dashboard shows")
	}
	c.checkDefaultCR(template.Spec.Data, local)
	c.checkManager(template.Spec.Manager, installed)
}

// checkDefaultCR: lifecycle-manager creates the one of the template.
func (c *check) checkDefaultCR(data *unstructured.Unstructured, local map[string][]byte) {
	archive, found := local[bundle.DefaultCR]
	if !found && data == nil {
		return
	}
	if data == nil || data.GetAPIVersion() == "" || data.GetKind() == "" || data.Object["metadata"] == nil {
		c.violate(RuleDefaultCR, "the ModuleTemplate's spec.data has no apiVersion, kind or metadata")
		return
	}
	text, _, ok := c.onlyFile(archive, RuleDefaultCR, "the default CR")
	if !ok {
		return
	}
	var object map[string]any
	if err := yaml.Unmarshal(text, &object); err != nil {
		c.violate(RuleDefaultCR, "%v", err)
		return
	}
	if !reflect.DeepEqual(object, data.Object) {
		c.violate(RuleDefaultCR, "that of the bundle is another than that of the ModuleTemplate")
	}
}

// checkManager: dashboard and CLI look the manager up to tell whether the
// module is there, and in which version.
func (c *check) checkManager(manager *v1beta2.Manager, installed *installation) {
	if manager == nil || installed == nil {
		return
	}
	for _, object := range installed.objects {
		if object.GetKind() == manager.Kind && object.GetName() == manager.Name {
			if manager.Namespace != "" && manager.Namespace != object.GetNamespace() {
				c.violate(RuleManager, "%s %s is in %s, the manifest has it in %s", manager.Kind, manager.Name, manager.Namespace, object.GetNamespace())
			}
			return
		}
	}
	c.violate(RuleManager, "%s %s is not in the manifest", manager.Kind, manager.Name)
}
