package runtime

import (
	"context"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	base "kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/tools/images/internal/debian"
	"kyma-project.io/serverless/tools/images/internal/image"
	"kyma-project.io/serverless/tools/images/internal/npm"
	"kyma-project.io/serverless/tools/images/internal/store"
)

// nameLabel has the name as in a Function's spec.runtime.
const nameLabel = "io.kyma-project.serverless.runtime.name"

// accounts are the users in a runtime's image: the one that the image runs as,
// and the one that the Functions' pods set.
var accounts = []debian.Account{{Name: "nonroot", ID: 1000, Home: "/tmp"}, {Name: "function", ID: 10001, Home: "/tmp"}}

// Builder builds the images of runtimes.
type Builder struct {
	Images  *store.Store
	NPM     *npm.Client
	Archive func(goarch string) (*debian.Archive, error)
}

// Build returns a runtime's image for one platform: Debian, the language and
// the server, each a layer, from what changes least to what changes most.
func (b *Builder) Build(ctx context.Context, spec Spec, runtime string, platform v1.Platform) (v1.Image, error) {
	archive, err := b.Archive(platform.Architecture)
	if err != nil {
		return nil, err
	}
	packages, err := packagesOf(ctx, archive, spec)
	if err != nil {
		return nil, err
	}
	version := spec.Versions[runtime]
	abi, err := abi(platform, packages, version)
	if err != nil {
		return nil, err
	}

	system, err := archive.Layer(ctx, packages, accounts)
	if err != nil {
		return nil, err
	}
	language, server := b.language, b.server
	if version.Python != "" {
		language = func(ctx context.Context, version Version, _ v1.Platform) (v1.Layer, error) {
			return b.standardBytecode(ctx, spec, archive, packages, version)
		}
		server = b.pythonServer
	}
	languageLayer, err := language(ctx, version, platform)
	if err != nil {
		return nil, err
	}
	serverLayer, err := server(ctx, spec, version)
	if err != nil {
		return nil, fmt.Errorf("make the server's layer of %s: %w", runtime, err)
	}

	labels := image.Labels(spec.Image(runtime), "Runs Functions of the runtime "+runtime)
	labels[base.ABILabel], labels[nameLabel] = abi, runtime
	return image.Image(platform, v1.Config{
		User:       fmt.Sprint(spec.User),
		WorkingDir: spec.Workdir,
		Entrypoint: spec.Entrypoint,
		Env:        spec.environment(),
		Labels:     labels,
	}, system, languageLayer, serverLayer)
}

// packagesOf are the packages in a runtime's image.
func packagesOf(ctx context.Context, archive *debian.Archive, spec Spec) ([]debian.Package, error) {
	packages, err := archive.Resolve(ctx, spec.Packages)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(packages, func(p debian.Package) bool { return slices.Contains(spec.Without, p.Name) }), nil
}
