// Package manifest renders what installs the operator, and reads it as those
// who install modules do.
package manifest

import (
	"cmp"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// VersionLabel is where Kyma's dashboard and CLI read a module's version.
const VersionLabel = "app.kubernetes.io/version"

// Options say what is rendered, and for which images.
type Options struct {
	// Config is the directory of the kustomization.
	Config string
	// Registry is where the images are, with a path if they have one.
	Registry string
	// Tag is that of the images, and the module's version.
	Tag string
	// Operator is the operator's image, if it is not serverless-operator in the registry.
	Operator string
}

// Render returns the manifest as YAML documents. Equal options give equal bytes.
func Render(opts Options) ([]byte, error) {
	if opts.Registry == "" {
		return nil, fmt.Errorf("render %s: no registry: name it with --registry", opts.Config)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), opts.Config)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", opts.Config, err)
	}
	if err := stamp(resources, opts); err != nil {
		return nil, err
	}
	return resources.AsYaml()
}

// stamp labels everything with the version, and sets the operator's image and
// in its environment those that it installs.
func stamp(resources resmap.ResMap, opts Options) error {
	for _, object := range resources.Resources() {
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[VersionLabel] = opts.Tag
		if err := object.SetLabels(labels); err != nil {
			return fmt.Errorf("label %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := setContainerImages(object, opts); err != nil {
			return fmt.Errorf("set images of Deployment %s: %w", object.GetName(), err)
		}
	}
	return nil
}

func setContainerImages(deployment *resource.Resource, opts Options) error {
	containers, err := deployment.Pipe(yaml.Lookup("spec", "template", "spec", "containers"))
	if err != nil {
		return err
	}
	return containers.VisitElements(func(container *yaml.RNode) error {
		operator := cmp.Or(opts.Operator, opts.Registry+"/serverless-operator:"+opts.Tag)
		if err := container.PipeE(yaml.SetField("image", yaml.NewStringRNode(operator))); err != nil {
			return err
		}
		environment, err := container.Pipe(yaml.Lookup("env"))
		if err != nil || environment == nil {
			return err
		}
		return environment.VisitElements(func(variable *yaml.RNode) error {
			if !strings.HasPrefix(variable.Field("name").Value.YNode().Value, ImageVariablePrefix) {
				return nil
			}
			name, _, _ := strings.Cut(variable.Field("value").Value.YNode().Value, ":")
			image := opts.Registry + "/" + name + ":" + opts.Tag
			return variable.PipeE(yaml.SetField("value", yaml.NewStringRNode(image)))
		})
	})
}
