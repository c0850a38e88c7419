package build

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/git"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/provenance"
	"kyma-project.io/serverless/internal/referrer"
	"kyma-project.io/serverless/internal/repository"
	"kyma-project.io/serverless/internal/sbom"
)

// The standard annotations of an image (OCI image specification).
const (
	annotationTitle       = "org.opencontainers.image.title"
	annotationDescription = "org.opencontainers.image.description"
	annotationCreated     = "org.opencontainers.image.created"
	annotationSource      = "org.opencontainers.image.source"
	annotationRevision    = "org.opencontainers.image.revision"
	annotationBaseName    = "org.opencontainers.image.base.name"
	annotationBaseDigest  = "org.opencontainers.image.base.digest"
)

// origin is where the code of an image is from. Equal code of one place has an
// equal origin, whichever Function has it, and whenever.
type origin struct {
	// URI has no credentials. Of an inline source it is the content's name.
	URI string
	// Revision is the commit, or the digest of an inline source.
	Revision string
	// Digest is the revision with its algorithm.
	Digest string
	// Created is the time of the commit. An inline source has none: the time at
	// which somebody wrote it into a cluster would make another image of it.
	Created time.Time
}

func originOf(in Request, published *image.PublishedSource) origin {
	if revision := in.Source.Revision; revision != nil {
		// Some hosts take a token in the query, too.
		uri, _, _ := strings.Cut(git.Address(revision.URL), "?")
		from := origin{URI: uri, Revision: revision.Commit, Digest: "gitCommit:" + revision.Commit, Created: time.Unix(0, 0)}
		if published != nil && !published.Created.IsZero() {
			from.Created = published.Created
		}
		return from
	}
	digest := "sha256:" + in.Source.Digest()
	return origin{URI: "urn:" + digest, Revision: digest, Digest: digest, Created: time.Unix(0, 0)}
}

// annotations name what an image is made from, not whose it is: Functions with
// equal inputs have equal images.
func annotations(in Request, base image.Base, from origin) map[string]string {
	return map[string]string{
		annotationTitle:       "function",
		annotationDescription: "A Function of the runtime " + string(in.Runtime.Name),
		annotationCreated:     from.Created.UTC().Format(time.RFC3339),
		annotationSource:      from.URI,
		annotationRevision:    from.Revision,
		annotationBaseName:    in.Runtime.Image,
		annotationBaseDigest:  base.Digest,
	}
}

// attestations are the list of an image's packages, and the statement of what
// it was made from.
func attestations(in Request, plan Plan, base image.Base, from origin, made image.Assembled) ([]referrer.Artifact, error) {
	name := repository.Function(in.Function.Namespace, in.Function.Name)
	var listing sbom.Listing
	if made.Dependencies != "" {
		listing = sbom.ParseListing(made.Packages)
	}
	document, err := sbom.Document(sbom.Subject{Name: name, Digest: made.Digest, Created: from.Created}, listing)
	if err != nil {
		return nil, err
	}
	statement, err := provenance.Statement(provenance.Build{
		Image: name, Digest: made.Digest,
		Parameters: map[string]string{
			"function": in.Function.Namespace + "/" + in.Function.Name,
			"runtime":  string(in.Runtime.Name), "baseDir": baseDir(in), "reference": gitReference(in.Function),
		},
		Internal: map[string]string{"platform": image.Platform().String(), "layerFormat": image.LayerFormat, "key": plan.Image},
		Inputs:   inputs(in, base, from, made),
	})
	if err != nil {
		return nil, err
	}
	return []referrer.Artifact{
		{Type: sbom.MediaType, Content: document},
		{Type: provenance.MediaType, Content: statement, Annotations: map[string]string{provenance.AnnotationPredicate: provenance.PredicateType}},
	}, nil
}

func inputs(in Request, base image.Base, from origin, made image.Assembled) []provenance.Input {
	all := []provenance.Input{
		{Name: "base", URI: ociURI(in.Runtime.Image), Digest: base.Digest},
		{Name: "source", URI: from.URI, Digest: from.Digest},
		{Name: "source layer", Digest: made.Source},
	}
	if made.Dependencies != "" {
		all = append(all, provenance.Input{Name: "dependencies", Digest: sha256Of(in.Source.Dependencies)},
			provenance.Input{Name: "dependency layer", Digest: made.Dependencies})
	}
	return all
}

func sha256Of(content []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(content))
}

func ociURI(reference string) string {
	return fmt.Sprintf("oci://%s", strings.TrimPrefix(reference, "oci://"))
}

func baseDir(in Request) string {
	if in.Source.Revision == nil {
		return ""
	}
	return in.Source.Revision.BaseDir
}

func gitReference(fn *v1alpha2.Function) string {
	if fn.Spec.Source.GitRepository == nil {
		return ""
	}
	return fn.Spec.Source.GitRepository.Reference
}
