package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kyma-project.io/serverless/internal/manifest"
	"kyma-project.io/serverless/internal/moduleconfig"
	"kyma-project.io/serverless/internal/scanconfig"
)

func scanConfigCommand() *cobra.Command {
	var file, kustomization, registry, tag string
	command := &cobra.Command{
		Use:   "scan-config",
		Short: "Write the security scanners' configuration, with the images of the manifest",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read configuration: %w", err)
			}
			config, err := moduleconfig.Parse(file, text, moduleconfig.Override{})
			if err != nil {
				return err
			}
			if tag == "" {
				tag = config.Version
			}
			output, err := scanConfig(config.Module(), manifest.Options{Config: kustomization, Registry: registry, Tag: tag})
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(filepath.Dir(file), config.Security), output, 0o644)
		},
	}
	flags := command.Flags()
	flags.StringVar(&file, "config", configFile, "The module's configuration.")
	flags.StringVar(&kustomization, "kustomization", "config/default", "Directory of the operator's manifest.")
	flags.StringVar(&registry, "images", "", "Where the module's images are.")
	flags.StringVar(&tag, "tag", "", "Tag of the images; default: the version of the configuration.")
	return command
}

func scanConfig(module string, opts manifest.Options) ([]byte, error) {
	_, _, images, err := renderManifest(opts)
	if err != nil {
		return nil, err
	}
	return scanconfig.Text(module, images)
}
