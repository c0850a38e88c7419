package debian

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"kyma-project.io/serverless/tools/images/internal/layer"
)

// rootFSFormat is part of the key of every root file system's layer. Raise it
// when RootFS makes something else of the same packages.
const rootFSFormat = "1"

// Layer is the layer of the root file system of packages, see RootFS. Packages
// are downloaded only if there is none of exactly these versions.
func (a *Archive) Layer(ctx context.Context, packages []Package, accounts []Account) (v1.Layer, error) {
	inputs := []string{"debian", rootFSFormat, a.arch, fmt.Sprint(packages), fmt.Sprint(accounts)}
	return layer.Cached(ctx, a.images, inputs, func() (layer.Tree, error) {
		debs, err := a.Download(ctx, packages)
		if err != nil {
			return nil, err
		}
		return RootFS(ctx, debs, accounts)
	})
}
