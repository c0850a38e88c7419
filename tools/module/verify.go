package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"oras.land/oras-go/v2"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/conformance"
	"kyma-project.io/serverless/internal/moduleconfig"
	"kyma-project.io/serverless/internal/signature"
)

// published names a bundle and where it is.
type published struct {
	config, version  string
	registry, layout string
}

func verifyCommand() *cobra.Command {
	var at published
	var keyFile string
	command := &cobra.Command{
		Use:   "verify",
		Short: "Read a bundle back, and check each rule that its consumers apply, and its signature",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			from, component, version, err := at.open()
			if err != nil {
				return err
			}
			if err := conformance.Check(command.Context(), from, component, version); err != nil {
				return fmt.Errorf("%s:%s breaks rules:\n%w", component, version, err)
			}
			fmt.Fprintf(command.OutOrStdout(), "%s:%s keeps to all rules\n", component, version)
			if keyFile == "" {
				return nil
			}
			return verifySignature(command.Context(), command.OutOrStdout(), from, component, version, keyFile)
		},
	}
	flags := command.Flags()
	flags.StringVar(&at.config, "config", configFile, "The module's configuration, for its name.")
	flags.StringVar(&at.version, "version", "", "The bundle's version; default: that of the configuration.")
	flags.StringVar(&at.registry, "registry", "", "Registry of the bundle, as HOST[:PORT][/PATH].")
	flags.StringVar(&at.layout, "layout", "", "OCI layout directory of the bundle, in place of a registry.")
	flags.StringVar(&keyFile, "key", "", "File with the public key that the bundle has to be signed with; empty: its signature is not looked at.")
	return command
}

func verifySignature(ctx context.Context, output io.Writer, from oras.ReadOnlyTarget, component, version, keyFile string) error {
	key, err := signature.ReadPublicKey(keyFile)
	if err != nil {
		return err
	}
	artifact, err := from.Resolve(ctx, version)
	if err != nil {
		return fmt.Errorf("find %s:%s: %w", component, version, err)
	}
	if err := signature.Verify(ctx, from, artifact, key); err != nil {
		return fmt.Errorf("%s:%s: %w", component, version, err)
	}
	_, err = fmt.Fprintf(output, "%s:%s is signed with %s\n", component, version, keyFile)
	return err
}

func (p published) open() (from oras.GraphTarget, component, version string, err error) {
	if (p.registry == "") == (p.layout == "") {
		return nil, "", "", errors.New("parse flags: give either --registry or --layout")
	}
	text, err := os.ReadFile(p.config)
	if err != nil {
		return nil, "", "", fmt.Errorf("read configuration: %w", err)
	}
	config, err := moduleconfig.Parse(p.config, text, moduleconfig.Override{})
	if err != nil {
		return nil, "", "", err
	}
	if p.layout != "" {
		from, err = bundle.OpenLayout(p.layout)
	} else {
		from, err = bundle.OpenRegistry(p.registry, config.Name)
	}
	return from, config.Name, cmp.Or(p.version, config.Version), err
}
