package conformance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"sigs.k8s.io/yaml"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/conformance"
	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/internal/moduleconfig"
	"kyma-project.io/serverless/internal/moduletemplate"
)

const version = "1.2.3"

func TestBundleOfThisModuleKeepsToAllRules(t *testing.T) {
	if err := check(t, packed(t, newModule(t))); err != nil {
		t.Error(err)
	}
}

// What a manifest can have wrong, as a replacement in that of this module.
func TestBrokenManifestNamesTheRule(t *testing.T) {
	for name, test := range map[string]struct {
		rule     conformance.Rule
		old, new string
	}{
		"missing namespace":            {conformance.RuleNamespace, "  namespace: kyma-system\n", ""},
		"another namespace":            {conformance.RuleNamespace, "  namespace: kyma-system\n", "  namespace: default\n"},
		"dashes in a value":            {conformance.RuleSeparator, "name: GODEBUG", "name: TEXT\n          value: '-----BEGIN CERTIFICATE-----'\n        - name: GODEBUG"},
		"dashes in a comment":          {conformance.RuleSeparator, "apiVersion: apps/v1", "# --- the operator ---\napiVersion: apps/v1"},
		"missing label":                {conformance.RuleLabels, "    kyma-project.io/module: serverless\n", ""},
		"Pods without label":           {conformance.RuleLabels, "        kyma-project.io/module: serverless\n", ""},
		"not managed by anyone":        {conformance.RuleLabels, "    app.kubernetes.io/managed-by: kyma\n", ""},
		"label of another version":     {conformance.RuleVersionLabel, "    app.kubernetes.io/version: 1.2.3\n", "    app.kubernetes.io/version: 1.2.2\n"},
		"image without tag":            {conformance.RuleImageTag, "image: registry.test/prod/serverless-operator:1.2.3", "image: registry.test/prod/serverless-operator"},
		"image with a tag that moves":  {conformance.RuleImageTag, "value: registry.test/prod/function-builder:1.2.3", "value: registry.test/prod/function-builder:latest"},
		"variable that is no image":    {conformance.RuleImageTag, "value: registry.test/prod/function-builder:1.2.3", "value: http://registry.test"},
		"image without registry":       {conformance.RuleImageVariables, "value: registry.test/prod/function-builder:1.2.3", "value: function-builder:1.2.3"},
		"image in an argument":         {conformance.RuleImageVariables, "- --leader-elect", "- --leader-elect\n        - --image=registry.test/prod/function-builder:1.2.3"},
		"image in a ConfigMap":         {conformance.RuleImageVariables, "apiVersion: apps/v1", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: kyma-system}\ndata:\n  image: registry.test/prod/function-builder:1.2.3\n---\napiVersion: apps/v1"},
		"value that passes for one":    {conformance.RuleLooksLikeImage, "value: fips140=only,tlsmlkem=0", "value: http://collector:4318"},
		"image that no resource names": {conformance.RuleImageResources, "value: registry.test/prod/function-builder:1.2.3", "value: registry.test/prod/function-builder:1.2.4"},
		"pull secret of others":        {conformance.RulePullSecret, "name: GODEBUG", "name: SKR_IMG_PULL_SECRET\n          value: a\n        - name: GODEBUG"},
		"no workload":                  {conformance.RuleWorkload, "kind: Deployment", "kind: ReplicaSet"},
		"no manager":                   {conformance.RuleManager, "  name: serverless-operator\n  namespace: kyma-system\nspec:\n  replicas", "  name: another\n  namespace: kyma-system\nspec:\n  replicas"},
		"no YAML":                      {conformance.RuleManifestFile, "apiVersion: apps/v1", "{"},
	} {
		t.Run(name, func(t *testing.T) {
			module := newModule(t)
			text := strings.Replace(string(module.Manifest.Content), test.old, test.new, 1)
			if text == string(module.Manifest.Content) {
				t.Fatalf("%q is not there to be replaced in\n%s", test.old, text)
			}
			module.Manifest.Content = []byte(text)
			expectRule(t, packed(t, module), test.rule)
		})
	}
}

func TestBrokenDescriptorNamesTheRule(t *testing.T) {
	for name, test := range map[string]struct {
		rule  conformance.Rule
		spoil func(*bundle.Component)
	}{
		"empty repositoryContexts": {conformance.RuleRepositoryContexts, func(c *bundle.Component) { c.RepositoryContexts = []bundle.RepositoryContext{} }},
		"context of another type":  {conformance.RuleRepositoryContexts, func(c *bundle.Component) { c.RepositoryContexts[0].Type = "CommonTransportFormat" }},
		"version with a plus":      {conformance.RuleComponent, func(c *bundle.Component) { c.Version = "1.2.3+build" }},
		"another component":        {conformance.RuleComponent, func(c *bundle.Component) { c.Name = "kyma-project.io/module/keda" }},
		"unknown access":           {conformance.RuleAccess, func(c *bundle.Component) { c.Resources[0].Access.Type = "ociImage" }},
		"access not replaced":      {conformance.RuleImageResources, func(c *bundle.Component) { c.Resources[0].Access.Type = "ociRegistry" }},
		"resource without tag": {conformance.RuleImageTag, func(c *bundle.Component) {
			c.Resources[0].Access.ImageReference = "registry.test/prod/function-builder"
		}},
		"image too many":           {conformance.RuleImageResources, func(c *bundle.Component) { c.Resources = append(c.Resources, extraImage) }},
		"layer that is not there":  {conformance.RuleLocalBlob, func(c *bundle.Component) { local(c).Access.LocalReference = "sha256:" + strings.Repeat("0", 64) }},
		"another media type":       {conformance.RuleLocalBlob, func(c *bundle.Component) { local(c).Access.MediaType = "application/x-tgz" }},
		"another digest":           {conformance.RuleLocalBlob, func(c *bundle.Component) { local(c).Digest.Value = strings.Repeat("0", 64) }},
		"no manifest":              {conformance.RuleManifestFile, func(c *bundle.Component) { local(c).Name = "manifest" }},
		"local of another version": {conformance.RuleDescriptorSchema, func(c *bundle.Component) { local(c).Version = "1.2.2" }},
		"no provider":              {conformance.RuleDescriptorSchema, func(c *bundle.Component) { c.Provider = "" }},
		"label's version":          {conformance.RuleDescriptorSchema, func(c *bundle.Component) { c.Labels[0].Version = "1" }},
		"over 100 KiB":             {conformance.RuleDescriptorSize, func(c *bundle.Component) { c.Labels[0].Value = strings.Repeat("a", 101<<10) }},
	} {
		t.Run(name, func(t *testing.T) {
			broken := unpacked(t, packed(t, newModule(t)))
			descriptor := broken.descriptor(t)
			test.spoil(&descriptor.Component)
			broken.setDescriptor(t, descriptor)
			expectRule(t, broken.pack(t), test.rule)
		})
	}
}

func TestBrokenArtifactNamesTheRule(t *testing.T) {
	for name, test := range map[string]struct {
		rule  conformance.Rule
		spoil func(*testing.T, *artifact)
	}{
		"wrong media type of the configuration": {conformance.RuleConfigMediaType, func(_ *testing.T, a *artifact) { a.ConfigMediaType = ocispec.MediaTypeImageConfig }},
		"no descriptor named":                   {conformance.RuleDescriptorLayer, func(_ *testing.T, a *artifact) { a.Config.ComponentDescriptorLayer = nil }},
		"wrong media type of the descriptor": {conformance.RuleDescriptorLayer, func(_ *testing.T, a *artifact) {
			a.Layers[0].MediaType = "application/vnd.ocm.software.component-descriptor.v2+yaml"
		}},
		"compressed descriptor": {conformance.RuleUncompressed, func(t *testing.T, a *artifact) { a.setLayer(0, zipped(t, a.Blobs[0])) }},
		"entry with a path": {conformance.RuleDescriptorFile, func(t *testing.T, a *artifact) {
			a.setLayer(0, archive(t, "./component-descriptor.yaml", "meta: {schemaVersion: v2}"))
		}},
		"no archive": {conformance.RuleDescriptorFile, func(_ *testing.T, a *artifact) { a.setLayer(0, []byte("meta: {schemaVersion: v2}")) }},
		"another schema": {conformance.RuleDescriptorSchema, func(t *testing.T, a *artifact) {
			descriptor := a.descriptor(t)
			descriptor.Meta.SchemaVersion = "v3"
			a.setDescriptor(t, descriptor)
		}},
		"no descriptor": {conformance.RuleDescriptorSchema, func(t *testing.T, a *artifact) { a.setLayer(0, archive(t, bundle.DescriptorFile, "- a")) }},
		"compressed manifest": {conformance.RuleUncompressed, func(t *testing.T, a *artifact) {
			a.setResource(t, bundle.RawManifest, bundle.MediaTypeTar, zipped(t, a.Blobs[1]))
		}},
		"wrong media type of the manifest": {conformance.RuleManifestMediaType, func(t *testing.T, a *artifact) {
			a.setResource(t, bundle.RawManifest, "application/x-tar+gzip", a.Blobs[1])
		}},
		"another default CR": {conformance.RuleDefaultCR, func(t *testing.T, a *artifact) {
			a.setResource(t, bundle.DefaultCR, bundle.MediaTypeTar, archive(t, "default-serverless-cr.yaml", "kind: Serverless"))
		}},
		"template of another version": {conformance.RuleTemplate, func(t *testing.T, a *artifact) {
			text := strings.Replace(string(a.Blobs[3]), "version: "+version, "version: 1.2.2", 1)
			a.setResource(t, bundle.ModuleTemplate, bundle.MediaTypeFile, []byte(text))
		}},
		"template with unknown fields": {conformance.RuleTemplate, func(t *testing.T, a *artifact) {
			a.setResource(t, bundle.ModuleTemplate, bundle.MediaTypeFile, append(a.Blobs[3], "other: 1\n"...))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			broken := unpacked(t, packed(t, newModule(t)))
			test.spoil(t, broken)
			expectRule(t, broken.pack(t), test.rule)
		})
	}
}

func TestVersionWithAPlusIsNotLookedFor(t *testing.T) {
	err := conformance.Check(t.Context(), packed(t, newModule(t)).Contents(), "kyma-project.io/module/serverless", "1.2.3+build")
	if err == nil || !strings.Contains(err.Error(), "version: the version must be") {
		t.Errorf("got %v", err)
	}
}

func TestBundleThatIsNotThereIsNoViolation(t *testing.T) {
	err := conformance.Check(t.Context(), packed(t, newModule(t)).Contents(), "kyma-project.io/module/serverless", "9.9.9")
	if err == nil || !strings.Contains(err.Error(), "was it pushed there?") {
		t.Errorf("got %v", err)
	}
}

func newModule(t *testing.T) *bundle.Module {
	t.Helper()
	const root = "../../"
	text := read(t, root+"module-config.yaml")
	config, err := moduleconfig.Parse("module-config.yaml", text, moduleconfig.Override{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := manifest.Render(manifest.Options{Config: root + "config/default", Registry: "registry.test/prod", Tag: version})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Parse(rendered)
	if err != nil {
		t.Fatal(err)
	}
	workloads, err := manifest.Workloads(objects)
	if err != nil {
		t.Fatal(err)
	}
	module := &bundle.Module{
		Config: config, Registry: "registry.test/prod", Commit: strings.Repeat("a", 40), Created: time.Unix(1, 0),
		Manifest:  bundle.File{Name: "serverless-operator.yaml", Content: rendered},
		DefaultCR: bundle.File{Name: "default-serverless-cr.yaml", Content: read(t, root+"config/samples/default-serverless-cr.yaml")},
	}
	for _, image := range manifest.Images(workloads) {
		module.Images = append(module.Images, bundle.Image{Reference: image, Digest: "sha256:" + strings.Repeat("b", 64)})
	}
	defaultCR := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(module.DefaultCR.Content, &defaultCR.Object); err != nil {
		t.Fatal(err)
	}
	template, err := moduletemplate.YAML(moduletemplate.New(config, defaultCR, false))
	if err != nil {
		t.Fatal(err)
	}
	module.Template = bundle.File{Name: "moduletemplate.yaml", Content: template}
	return module
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func packed(t *testing.T, module *bundle.Module) *bundle.Bundle {
	t.Helper()
	packed, err := bundle.Pack(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func check(t *testing.T, packed *bundle.Bundle) error {
	t.Helper()
	return conformance.Check(t.Context(), packed.Contents(), "kyma-project.io/module/serverless", version)
}

func expectRule(t *testing.T, packed *bundle.Bundle, rule conformance.Rule) {
	t.Helper()
	if err := check(t, packed); err == nil || !strings.Contains("\n"+err.Error(), "\n"+string(rule)+": ") {
		t.Errorf("got %v\nwant a violation of %s", err, rule)
	}
}

var extraImage = bundle.Resource{
	Name: "extra", Version: "1.0.0", Type: "ociArtifact", Relation: "external",
	Access: bundle.Access{Type: "ociArtifact", ImageReference: "registry.test/extra:1.0.0"},
}

// local is the manifest's resource.
func local(component *bundle.Component) *bundle.Resource {
	for i := range component.Resources {
		if component.Resources[i].Name == bundle.RawManifest {
			return &component.Resources[i]
		}
	}
	return nil
}

// artifact can be changed where packing a module never would.
type artifact struct{ bundle.Artifact }

func unpacked(t *testing.T, packed *bundle.Bundle) *artifact {
	t.Helper()
	text, err := content.FetchAll(t.Context(), packed.Contents(), packed.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	a := &artifact{bundle.Artifact{Name: "kyma-project.io/module/serverless", Version: version, Layers: manifest.Layers}}
	for _, layer := range manifest.Layers {
		a.Blobs = append(a.Blobs, fetch(t, packed.Contents(), layer))
	}
	if err := json.Unmarshal(fetch(t, packed.Contents(), manifest.Config), &a.Config); err != nil {
		t.Fatal(err)
	}
	return a
}

func fetch(t *testing.T, from oras.ReadOnlyTarget, layer ocispec.Descriptor) []byte {
	t.Helper()
	blob, err := content.FetchAll(t.Context(), from, layer)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func (a *artifact) pack(t *testing.T) *bundle.Bundle {
	t.Helper()
	packed, err := a.Pack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func (a *artifact) descriptor(t *testing.T) bundle.Descriptor {
	t.Helper()
	_, text, _ := bytes.Cut(a.Blobs[0], []byte("component:\n"))
	text, _, _ = bytes.Cut(text, []byte{0})
	var descriptor bundle.Descriptor
	if err := yaml.Unmarshal(append([]byte("component:\n"), text...), &descriptor); err != nil {
		t.Fatal(err)
	}
	descriptor.Meta.SchemaVersion = "v2"
	return descriptor
}

func (a *artifact) setDescriptor(t *testing.T, descriptor bundle.Descriptor) {
	t.Helper()
	text, err := yaml.Marshal(descriptor)
	if err != nil {
		t.Fatal(err)
	}
	a.setLayer(0, archive(t, bundle.DescriptorFile, string(text)))
}

func (a *artifact) setLayer(i int, blob []byte) {
	changed := content.NewDescriptorFromBytes(a.Layers[i].MediaType, blob)
	a.Layers[i].Digest, a.Layers[i].Size, a.Blobs[i] = changed.Digest, changed.Size, blob
	if i == 0 {
		a.Config.ComponentDescriptorLayer.Digest, a.Config.ComponentDescriptorLayer.Size = changed.Digest.String(), changed.Size
	}
}

// setResource changes a layer, and the descriptor with it.
func (a *artifact) setResource(t *testing.T, name, mediaType string, blob []byte) {
	t.Helper()
	descriptor := a.descriptor(t)
	for i := range descriptor.Component.Resources {
		resource := &descriptor.Component.Resources[i]
		if resource.Name != name {
			continue
		}
		for l := range a.Layers {
			if a.Layers[l].Digest.String() == resource.Access.LocalReference {
				a.Layers[l].MediaType = mediaType
				a.setLayer(l, blob)
				resource.Access.MediaType, resource.Access.LocalReference = mediaType, a.Layers[l].Digest.String()
				resource.Digest.Value = a.Layers[l].Digest.Encoded()
				break
			}
		}
	}
	a.setDescriptor(t, descriptor)
}

func archive(t *testing.T, name, text string) []byte {
	t.Helper()
	blob, err := bundle.Archive(bundle.File{Name: name, Content: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func zipped(t *testing.T, blob []byte) []byte {
	t.Helper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := writer.Write(blob); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
