package main

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"oras.land/oras-go/v2"

	"kyma-project.io/serverless/internal/bundle"
	"kyma-project.io/serverless/internal/signature"
)

func signCommand() *cobra.Command {
	var at published
	var keyFile, images string
	command := &cobra.Command{
		Use:   "sign",
		Short: "Sign a bundle in a registry, and the images of it, as cosign does",
		Long: `Signs the bundle, and with --images the images that the images program has
printed, with an ECDSA key in PEM. ` + signature.PasswordVariable + ` has the password of an
encrypted key. To verify: module verify --key, or

  cosign verify --key KEY.pub --insecure-ignore-tlog REFERENCE`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			key, err := signature.ReadPrivateKey(keyFile)
			if err != nil {
				return err
			}
			return signAll(command.Context(), command.OutOrStdout(), at, images, key)
		},
	}
	flags := command.Flags()
	flags.StringVar(&at.config, "config", configFile, "The module's configuration, for its name.")
	flags.StringVar(&at.version, "version", "", "The bundle's version; default: that of the configuration.")
	flags.StringVar(&at.registry, "registry", "", "Registry of the bundle, as HOST[:PORT][/PATH].")
	flags.StringVar(&images, "images", "", "File with the output of the images program, to sign those, too.")
	flags.StringVar(&keyFile, "key", "", "File with the private key.")
	return command
}

// signAll signs the bundle last: who finds it signed finds all signed.
func signAll(ctx context.Context, output io.Writer, at published, images string, key *ecdsa.PrivateKey) error {
	pushed, err := readImages(images)
	if err != nil {
		return err
	}
	for _, image := range pushed {
		repository, err := bundle.OpenRepository(image.Context().Name())
		if err != nil {
			return err
		}
		if err := sign(ctx, output, repository, image.Context().Name(), image.DigestStr(), key); err != nil {
			return err
		}
	}
	from, component, version, err := at.open()
	if err != nil {
		return err
	}
	return sign(ctx, output, from, bundle.Repository(at.registry, component), version, key)
}

func sign(ctx context.Context, output io.Writer, target oras.Target, repository, identifier string, key *ecdsa.PrivateKey) error {
	artifact, err := target.Resolve(ctx, identifier)
	if err != nil {
		return fmt.Errorf("find %s of %s to sign it: %w; is it pushed?", identifier, repository, err)
	}
	if err := signature.Sign(ctx, target, repository, artifact, key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(output, "signed %s@%s\n", repository, artifact.Digest)
	return err
}
