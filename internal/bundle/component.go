package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"

	"kyma-project.io/serverless/internal/moduleconfig"
)

// Module is what a bundle is made from.
type Module struct {
	Config *moduleconfig.Config
	// Registry is where the bundle goes, as HOST[:PORT][/PATH]. It is written
	// into the descriptor; lifecycle-manager pulls from the one it is set up with.
	Registry string
	// Commit is the Git commit of the sources, Created its time.
	Commit  string
	Created time.Time
	// Images are the module's, as the manifest names them.
	Images []Image

	Manifest, DefaultCR, Template File
	// ClusterScoped tells whether the default CR has no namespace.
	ClusterScoped bool
}

// File has a name in its archive.
type File struct {
	Name    string
	Content []byte
}

// Image is one that the module runs. Digest is that of its manifest, as
// sha256:…, or empty if it is not known.
type Image struct {
	Reference, Digest string
}

const (
	provider      = "kyma-project.io"
	labelVersion  = "v1"
	digestSHA256  = "SHA-256"
	digestBlob    = "genericBlobDigest/v1"
	digestImage   = "ociArtifactDigest/v1"
	imageScanning = "scan.security.kyma-project.io/type"
)

// component returns the component's part of the descriptor, with local
// resources as the layers are.
func (m *Module) component(layers []layer) (Component, error) {
	providerText, err := json.Marshal(map[string]any{
		"name": provider, "labels": []Label{{provider + "/built-by", "kyma-serverless", labelVersion}},
	})
	if err != nil {
		return Component{}, fmt.Errorf("write provider: %w", err)
	}
	component := Component{
		Name: m.Config.Name, Version: m.Config.Version, Provider: string(providerText),
		CreationTime:        m.Created.UTC().Format(time.RFC3339),
		Labels:              m.labels(),
		RepositoryContexts:  []RepositoryContext{repositoryContext(m.Registry)},
		ComponentReferences: []any{},
		Sources: []Source{{
			Name: "module-sources", Type: "Github", Version: m.Config.Version,
			Access: SourceAccess{Type: "gitHub", RepoURL: m.Config.Repository, Commit: m.Commit},
		}},
	}
	for _, image := range m.Images {
		resource, err := imageResource(image)
		if err != nil {
			return Component{}, err
		}
		component.Resources = append(component.Resources, resource)
	}
	for _, layer := range layers {
		component.Resources = append(component.Resources, Resource{
			Name: layer.name, Version: m.Config.Version, Type: layer.kind, Relation: RelationLocal,
			Access: Access{
				Type: AccessLocalBlob, MediaType: layer.descriptor.MediaType,
				LocalReference: layer.descriptor.Digest.String(), ReferenceName: layer.name,
			},
			Digest: &Digest{digestSHA256, digestBlob, layer.descriptor.Digest.Encoded()},
		})
	}
	return component, nil
}

// labels say what lifecycle-manager and the scanners want to know.
func (m *Module) labels() []Label {
	text := func(value bool) string { return fmt.Sprint(value) }
	labels := []Label{
		{"operator.kyma-project.io/beta", text(m.Config.Beta), labelVersion},
		{"operator.kyma-project.io/internal", text(m.Config.Internal), labelVersion},
		{"operator.kyma-project.io/requiresDowntime", text(m.Config.RequiresDowntime), labelVersion},
		{"operator.kyma-project.io/is-cluster-scoped", text(m.ClusterScoped), labelVersion},
	}
	if m.Config.SecurityScanEnabled {
		labels = append(labels, Label{"security.kyma-project.io/scan", "enabled", labelVersion})
	}
	if m.Config.Team != "" {
		labels = append(labels, Label{"cloud.gardener.cnudie/responsibles", []map[string]string{
			{"type": "githubTeam", "github_hostname": "github.tools.sap", "teamname": m.Config.Team},
		}, labelVersion})
	}
	return labels
}

func repositoryContext(registry string) RepositoryContext {
	host, subPath, _ := strings.Cut(registry, "/")
	return RepositoryContext{Type: ContextOCI, BaseURL: host, ComponentNameMapping: MappingURLPath, SubPath: subPath}
}

var notInVersion = regexp.MustCompile(`[^0-9A-Za-z-]+`)

// imageResource names an image as Kyma's tools do: by the last part of its
// repository, in the version that its tag or its digest gives.
func imageResource(image Image) (Resource, error) {
	parsed, err := name.ParseReference(image.Reference, name.WithDefaultTag(""))
	if err != nil {
		return Resource{}, fmt.Errorf("read image %q: %w", image.Reference, err)
	}
	resource := Resource{
		Name: path.Base(parsed.Context().RepositoryStr()), Type: AccessOCIArtifact, Relation: RelationExternal,
		Labels: []Label{{imageScanning, "third-party-image", labelVersion}},
		Access: Access{Type: AccessOCIArtifact, ImageReference: image.Reference},
	}
	tag, digest := parsed.Identifier(), image.Digest
	if pinned, ok := parsed.(name.Digest); ok {
		digest = pinned.DigestStr()
		withoutDigest, _, _ := strings.Cut(image.Reference, "@")
		tag = ""
		if tagged, err := name.NewTag(withoutDigest, name.WithDefaultTag("")); err == nil {
			tag = tagged.TagStr()
		}
		resource.Name += "-" + shortened(digest, 8)
	}
	resource.Version = imageVersion(tag)
	if strings.Contains(image.Reference, "@") {
		resource.Version += "+sha256." + shortened(digest, 12)
	}
	if digest != "" {
		resource.Digest = &Digest{digestSHA256, digestImage, strings.TrimPrefix(digest, "sha256:")}
	}
	return resource, nil
}

func imageVersion(tag string) string {
	if tag == "" {
		return "0.0.0"
	}
	if _, err := semver.NewVersion(tag); err == nil {
		return tag
	}
	return "0.0.0-" + strings.Trim(notInVersion.ReplaceAllString(tag, "-"), "-")
}

func shortened(digest string, length int) string {
	text := strings.TrimPrefix(digest, "sha256:")
	return text[:min(length, len(text))]
}
