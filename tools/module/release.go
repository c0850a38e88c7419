package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kyma-project.io/serverless/internal/conformance"
	"kyma-project.io/serverless/internal/moduleconfig"
	"kyma-project.io/serverless/internal/release"
	"kyma-project.io/serverless/internal/signature"
)

const (
	notesFile  = "release-notes.md"
	imagesFile = "images.txt"
)

type releaseOptions struct {
	create    createOptions
	changelog string
	program   string
	keyFile   string
	platforms []string
	dryRun    bool
}

func releaseCommand() *cobra.Command {
	var opts releaseOptions
	command := &cobra.Command{
		Use:   "release VERSION",
		Short: "Publish a version: images, bundle, assets, checksums",
		Long: `Takes a commit with the version's tag and without changes, and a section of the
changelog with the version's name. Builds the images, pushes them and the bundle
to the registry, reads the bundle back, and writes the assets with their
checksums. With a key it signs images and bundle. A dry run pushes to a registry of its own, which is gone afterwards,
and takes any commit, and what is not released yet of the changelog.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			opts.create.version = args[0]
			opts.create.config = configFile
			opts.create.kustomization, opts.create.defaultCR = "config/default", "config/samples/default-serverless-cr.yaml"
			return publishRelease(command.Context(), command.OutOrStdout(), opts)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&opts.create.output, "output", "o", "build/release", "Where to write the assets to.")
	flags.StringVar(&opts.create.registry, "registry", "", "Registry of images and bundle, as HOST[:PORT][/PATH].")
	flags.StringVar(&opts.create.assets, "assets-url", "", "Where the assets will be, as an https URL: users without a control plane install from there.")
	flags.StringToStringVar(&opts.create.channels, "channel", nil, "Versions of channels as NAME=VERSION; default: this version in fast and regular.")
	flags.StringVar(&opts.changelog, "changelog", "CHANGELOG.md", "The changelog.")
	flags.StringVar(&opts.program, "images-program", "build/bin/images", "The program that builds images.")
	flags.StringSliceVar(&opts.platforms, "platform", nil, "Platforms of the images; default: that of this machine.")
	flags.StringVar(&opts.keyFile, "key", "", "File with the private key to sign bundle and images with; empty: they are not signed.")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "Publish to a registry of its own.")
	return command
}

func publishRelease(ctx context.Context, output io.Writer, opts releaseOptions) (err error) {
	version := opts.create.version
	if err := moduleconfig.CheckVersion(version); err != nil {
		return fmt.Errorf("release: the version %w", err)
	}
	notes, err := checkRelease(ctx, opts)
	if err != nil {
		return err
	}
	var key *ecdsa.PrivateKey
	if opts.keyFile != "" {
		if key, err = signature.ReadPrivateKey(opts.keyFile); err != nil {
			return err
		}
	}
	if opts.dryRun {
		local, err := startRegistry(ctx)
		if err != nil {
			return err
		}
		defer local.stop()
		opts.create.registry = local.address
	}
	if opts.create.registry == "" {
		return fmt.Errorf("release %s: no registry: name it with --registry", version)
	}
	opts.create.images = opts.create.registry
	opts.create.output = filepath.Join(opts.create.output, version)
	opts.create.digests = filepath.Join(opts.create.output, imagesFile)
	if err := os.RemoveAll(opts.create.output); err != nil {
		return fmt.Errorf("remove former assets: %w", err)
	}
	if err := os.MkdirAll(opts.create.output, 0o755); err != nil {
		return fmt.Errorf("make directory of assets: %w", err)
	}
	if err := os.WriteFile(filepath.Join(opts.create.output, notesFile), []byte(notes), 0o644); err != nil {
		return fmt.Errorf("write release notes: %w", err)
	}
	if err := publishImages(ctx, opts); err != nil {
		return err
	}
	images, err := readImages(opts.create.digests)
	if err != nil {
		return err
	}
	if err := release.CheckDocuments(ctx, images); err != nil {
		return fmt.Errorf("read back what is attached to images:\n%w", err)
	}
	if err := create(ctx, output, opts.create); err != nil {
		return err
	}
	at := published{config: opts.create.config, version: version, registry: opts.create.registry}
	if key != nil {
		if err := signAll(ctx, output, at, opts.create.digests, key); err != nil {
			return err
		}
	}
	if err := readBack(ctx, at, key); err != nil {
		return err
	}
	if err := release.WriteChecksums(opts.create.output); err != nil {
		return err
	}
	_, err = fmt.Fprintf(output, "%s is published; its assets are in %s\n", version, opts.create.output)
	return err
}

// readBack checks what is published, as those do who consume it.
func readBack(ctx context.Context, at published, key *ecdsa.PrivateKey) error {
	from, component, version, err := at.open()
	if err != nil {
		return err
	}
	if err := conformance.Check(ctx, from, component, version); err != nil {
		return fmt.Errorf("read the bundle back:\n%w", err)
	}
	if key == nil {
		return nil
	}
	artifact, err := from.Resolve(ctx, version)
	if err != nil {
		return fmt.Errorf("read the bundle back: %w", err)
	}
	return signature.Verify(ctx, from, artifact, &key.PublicKey)
}

// checkRelease returns the release notes.
func checkRelease(ctx context.Context, opts releaseOptions) (string, error) {
	text, err := os.ReadFile(opts.changelog)
	if err != nil {
		return "", fmt.Errorf("read changelog: %w", err)
	}
	notes, err := release.Notes(string(text), opts.create.version)
	if err != nil && opts.dryRun {
		return release.Notes(string(text), release.Unreleased)
	}
	if err != nil || opts.dryRun {
		return notes, err
	}
	return notes, release.CheckCommit(ctx, ".", opts.create.version)
}

// publishImages keeps the lines with the images' digests.
func publishImages(ctx context.Context, opts releaseOptions) error {
	args := []string{"--sbom", "--registry", opts.create.registry, "--tag", opts.create.version}
	if len(opts.platforms) > 0 {
		args = append(args, "--platform", strings.Join(opts.platforms, ","))
	}
	var lines bytes.Buffer
	command := exec.CommandContext(ctx, opts.program, args...)
	command.Stdout, command.Stderr = &lines, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("publish images: %w", err)
	}
	if err := os.WriteFile(opts.create.digests, lines.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write digests of images: %w", err)
	}
	return nil
}
