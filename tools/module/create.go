package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"oras.land/oras-go/v2"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/conformance"
	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/internal/moduleconfig"
	"kyma-project.io/serverless/internal/moduletemplate"
)

// Names of what is written beside the assets that the configuration names.
const (
	configFile   = "module-config.yaml"
	templateFile = "moduletemplate.yaml"
	releasesFile = "modulereleasemeta.yaml"
	layoutDir    = "oci"
)

type createOptions struct {
	config, kustomization, defaultCR, output string
	version, registry, images, digests       string
	assets                                   string
	channels                                 map[string]string
	source                                   source
}

func createCommand() *cobra.Command {
	var opts createOptions
	command := &cobra.Command{
		Use:   "create",
		Short: "Write the module's assets, its ModuleTemplate and its bundle",
		Long: `Writes to the output directory the operator's manifest, the default CR, the
ModuleTemplate and the ModuleReleaseMeta, and the bundle as an OCI layout; with
--registry it pushes the bundle, too. The same commit gives the same digests.
Credentials come from the Docker configuration.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return create(command.Context(), command.OutOrStdout(), opts)
		},
	}
	flags := command.Flags()
	flags.StringVar(&opts.config, "config", configFile, "The module's configuration.")
	flags.StringVar(&opts.kustomization, "kustomization", "config/default", "Directory of the operator's manifest.")
	flags.StringVar(&opts.defaultCR, "default-cr", "config/samples/default-serverless-cr.yaml", "The resource that enables the module.")
	flags.StringVarP(&opts.output, "output", "o", "build/module", "Where to write to.")
	flags.StringVar(&opts.version, "version", "", "The module's version, in place of that of the configuration.")
	flags.StringVar(&opts.registry, "registry", "", "Registry to push the bundle to, as HOST[:PORT][/PATH].")
	flags.StringVar(&opts.images, "images", "", "Where the module's images are, as HOST[:PORT]/PATH.")
	flags.StringVar(&opts.digests, "digests", "", "File with the output of the images program, for the images' digests.")
	flags.StringVar(&opts.assets, "assets-url", "", "Where the assets will be, as an https URL: users without a control plane install from there.")
	flags.StringToStringVar(&opts.channels, "channel", nil, "Versions of channels as NAME=VERSION; default: this version in fast and regular.")
	flags.StringVar(&opts.source.commit, "commit", "", "Commit of the sources; default: that of HEAD.")
	return command
}

func create(ctx context.Context, output io.Writer, opts createOptions) error {
	source, err := opts.source.complete(ctx)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(opts.config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	config, err := moduleconfig.Parse(opts.config, text, moduleconfig.Override{Version: opts.version})
	if err != nil {
		return err
	}
	if opts.assets != "" {
		if err := config.LinkManifest(opts.assets); err != nil {
			return err
		}
	}
	module, err := assemble(config, source, opts)
	if err != nil {
		return err
	}
	packed, err := bundle.Pack(ctx, module)
	if err != nil {
		return err
	}
	// What breaks a rule is not written anywhere.
	if err := conformance.Check(ctx, packed.Contents(), config.Name, config.Version); err != nil {
		return fmt.Errorf("check bundle:\n%w", err)
	}
	if err := write(module, opts); err != nil {
		return err
	}
	reference, err := publish(ctx, packed, config, opts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(output, reference)
	return err
}

// renderManifest returns the operator's manifest, its objects, and the images in them.
func renderManifest(opts manifest.Options) (text []byte, objects []*unstructured.Unstructured, images []string, err error) {
	text, err = manifest.Render(opts)
	if err != nil {
		return nil, nil, nil, err
	}
	objects, err = manifest.Parse(text)
	if err != nil {
		return nil, nil, nil, err
	}
	workloads, err := manifest.Workloads(objects)
	if err != nil {
		return nil, nil, nil, err
	}
	return text, objects, manifest.Images(workloads), nil
}

// assemble renders the parts of the module.
func assemble(config *moduleconfig.Config, source source, opts createOptions) (*bundle.Module, error) {
	text, objects, images, err := renderManifest(manifest.Options{Config: opts.kustomization, Registry: opts.images, Tag: config.Version})
	if err != nil {
		return nil, err
	}
	digests, err := readDigests(opts.digests)
	if err != nil {
		return nil, err
	}
	module := &bundle.Module{
		Config: config, Registry: opts.registry, Commit: source.commit, Created: source.created,
		Manifest: bundle.File{Name: filepath.Base(config.Manifest), Content: text},
	}
	if module.Registry == "" {
		module.Registry = opts.images
	}
	for _, reference := range images {
		digest, found := digests[imageName(reference)]
		if !found && opts.digests != "" {
			return nil, fmt.Errorf("find digest of %s: %s has none for %s", reference, opts.digests, imageName(reference))
		}
		module.Images = append(module.Images, bundle.Image{Reference: reference, Digest: digest})
	}
	var defaultCR *unstructured.Unstructured
	if config.DefaultCR != "" {
		content, err := os.ReadFile(opts.defaultCR)
		if err != nil {
			return nil, fmt.Errorf("read default CR: %w", err)
		}
		defaultCR = &unstructured.Unstructured{}
		if err := yaml.Unmarshal(content, &defaultCR.Object); err != nil {
			return nil, fmt.Errorf("parse default CR %s: %w", opts.defaultCR, err)
		}
		module.DefaultCR = bundle.File{Name: filepath.Base(config.DefaultCR), Content: content}
		module.ClusterScoped = isClusterScoped(objects, defaultCR)
	}
	template, err := moduletemplate.YAML(moduletemplate.New(config, defaultCR, module.ClusterScoped))
	if err != nil {
		return nil, err
	}
	module.Template = bundle.File{Name: templateFile, Content: template}
	return module, nil
}

// isClusterScoped looks the default CR's kind up in the manifest.
func isClusterScoped(objects []*unstructured.Unstructured, defaultCR *unstructured.Unstructured) bool {
	for _, object := range objects {
		kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
		group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
		scope, _, _ := unstructured.NestedString(object.Object, "spec", "scope")
		if object.GetKind() == "CustomResourceDefinition" && kind == defaultCR.GetKind() && group == defaultCR.GroupVersionKind().Group {
			return scope == "Cluster"
		}
	}
	return false
}

// write makes the output directory anew.
func write(module *bundle.Module, opts createOptions) error {
	if err := os.RemoveAll(filepath.Join(opts.output, layoutDir)); err != nil {
		return fmt.Errorf("remove former bundle: %w", err)
	}
	if err := os.MkdirAll(opts.output, 0o755); err != nil {
		return fmt.Errorf("make output directory: %w", err)
	}
	channels := opts.channels
	if len(channels) == 0 {
		channels = map[string]string{"fast": module.Config.Version, "regular": module.Config.Version}
	}
	releases, err := moduletemplate.YAML(moduletemplate.Releases(module.Config, channels))
	if err != nil {
		return err
	}
	for _, file := range []bundle.File{module.Manifest, module.DefaultCR, module.Template, {Name: releasesFile, Content: releases}} {
		if file.Content == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(opts.output, file.Name), file.Content, 0o644); err != nil {
			return fmt.Errorf("write asset: %w", err)
		}
	}
	return nil
}

// publish returns where the bundle is, with its digest.
func publish(ctx context.Context, packed *bundle.Bundle, config *moduleconfig.Config, opts createOptions) (string, error) {
	directory := filepath.Join(opts.output, layoutDir)
	layout, err := bundle.OpenLayout(directory)
	if err != nil {
		return "", err
	}
	places := []oras.Target{layout}
	where := directory + ":" + packed.Tag
	if opts.registry != "" {
		registry, err := bundle.OpenRegistry(opts.registry, config.Name)
		if err != nil {
			return "", err
		}
		places = append(places, registry)
		where = bundle.Repository(opts.registry, config.Name) + ":" + packed.Tag
	}
	for _, place := range places {
		if err := packed.Publish(ctx, place); err != nil {
			return "", err
		}
	}
	return where + "@" + packed.Descriptor.Digest.String(), nil
}
