package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	spdx "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/internal/sbom"
)

// expected are packages without which the list of an image's packages is not
// that of the image: one of each way in which packages get into it.
func expected(image string) []string {
	switch {
	case strings.HasPrefix(image, "function-runtime-nodejs"):
		return []string{"nodejs", "npm", "express", "libc6"}
	case strings.HasPrefix(image, "function-runtime-python"):
		return []string{"python3", "python3-uvicorn", "libc6"}
	default:
		return []string{"kyma-project.io/serverless", "stdlib", "github.com/spf13/pflag", "ca-certificates"}
	}
}

// CheckDocuments reads back what is attached to the published images: each has
// an SPDX document, which is valid, of this image, and lists what it has to.
// Credentials come from the Docker configuration.
func CheckDocuments(ctx context.Context, images []name.Digest) error {
	var wrong []error
	for _, image := range images {
		if err := checkDocument(ctx, image); err != nil {
			wrong = append(wrong, fmt.Errorf("list of packages of %s: %w", image, err))
		}
	}
	return errors.Join(wrong...)
}

func checkDocument(ctx context.Context, image name.Digest) error {
	attached, err := referrer.Read(image, sbom.MediaType, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return err
	}
	if len(attached) != 1 {
		return fmt.Errorf("there are %d documents, not one", len(attached))
	}
	document, err := spdx.Read(bytes.NewReader(attached[0]))
	if err != nil {
		return fmt.Errorf("parse SPDX document: %w", err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		return fmt.Errorf("validate SPDX document: %w", err)
	}
	listed := make([]string, 0, len(document.Packages))
	for _, one := range document.Packages {
		listed = append(listed, one.PackageName)
	}
	if document.Packages[0].PackageVersion != image.DigestStr() {
		return fmt.Errorf("the document is of %s", document.Packages[0].PackageVersion)
	}
	for _, want := range expected(path.Base(image.RepositoryStr())) {
		if !slices.Contains(listed, want) {
			return fmt.Errorf("%s is not among its %d packages", want, len(listed)-1)
		}
	}
	return nil
}
