// The manifest program renders what users apply to install the operator, for
// the images of one registry and tag.
package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// versionLabel is where Kyma's dashboard and CLI read a module's version.
const versionLabel = "app.kubernetes.io/version"

type options struct {
	config   string
	registry string
	tag      string
	operator string
}

func main() {
	var opts options
	pflag.StringVar(&opts.config, "config", "config/default", "Directory of the kustomization.")
	pflag.StringVar(&opts.registry, "registry", "", "Where the images are, with a path if they have one.")
	pflag.StringVar(&opts.tag, "tag", "main", "Tag of the images.")
	pflag.StringVar(&opts.operator, "operator-image", "", "Image of the operator, if it is not serverless-operator in the registry.")
	pflag.Parse()

	manifest, err := render(opts)
	if err == nil {
		_, err = os.Stdout.Write(manifest)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

func render(opts options) ([]byte, error) {
	if opts.registry == "" {
		return nil, fmt.Errorf("render %s: no registry: name it with --registry", opts.config)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), opts.config)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", opts.config, err)
	}
	if err := setImages(resources, opts); err != nil {
		return nil, err
	}
	return resources.AsYaml()
}

// setImages sets the operator's image, and in its environment those that it installs.
func setImages(resources resmap.ResMap, opts options) error {
	for _, deployment := range resources.Resources() {
		if deployment.GetKind() != "Deployment" {
			continue
		}
		labels := deployment.GetLabels()
		labels[versionLabel] = opts.tag
		if err := deployment.SetLabels(labels); err != nil {
			return fmt.Errorf("label Deployment %s: %w", deployment.GetName(), err)
		}
		if err := setContainerImages(deployment, opts); err != nil {
			return fmt.Errorf("set images of Deployment %s: %w", deployment.GetName(), err)
		}
	}
	return nil
}

func setContainerImages(deployment *resource.Resource, opts options) error {
	containers, err := deployment.Pipe(yaml.Lookup("spec", "template", "spec", "containers"))
	if err != nil {
		return err
	}
	return containers.VisitElements(func(container *yaml.RNode) error {
		operator := cmp.Or(opts.operator, opts.registry+"/serverless-operator:"+opts.tag)
		if err := container.PipeE(yaml.SetField("image", yaml.NewStringRNode(operator))); err != nil {
			return err
		}
		environment, err := container.Pipe(yaml.Lookup("env"))
		if err != nil || environment == nil {
			return err
		}
		return environment.VisitElements(func(variable *yaml.RNode) error {
			if !strings.HasPrefix(variable.Field("name").Value.YNode().Value, "IMAGE_") {
				return nil
			}
			name, _, _ := strings.Cut(variable.Field("value").Value.YNode().Value, ":")
			image := opts.registry + "/" + name + ":" + opts.tag
			return variable.PipeE(yaml.SetField("value", yaml.NewStringRNode(image)))
		})
	})
}
