// Package bundle writes a Kyma module as an OCI artifact in the layout of the
// Open Component Model, which Kyma's lifecycle-manager installs from (contract
// sections 1.4 and 1.5).
package bundle

// Media types of the layout.
const (
	MediaTypeConfig     = "application/vnd.ocm.software.component.config.v1+json"
	MediaTypeDescriptor = "application/vnd.ocm.software.component-descriptor.v2+yaml+tar"
	// MediaTypeTar is that of an archive that is not compressed: of another,
	// lifecycle-manager takes the archive itself for YAML.
	MediaTypeTar  = "application/x-tar"
	MediaTypeFile = "application/octet-stream"
)

const (
	// DescriptorFile is the name of the archive's only entry.
	DescriptorFile = "component-descriptor.yaml"
	// MaxDescriptor is how many bytes lifecycle-manager reads of it.
	MaxDescriptor = 100 << 10
)

// The resources, whose names decide what lifecycle-manager does with them.
const (
	RawManifest    = "raw-manifest"
	DefaultCR      = "default-cr"
	ModuleTemplate = "moduletemplate"
)

// Types of accesses and of repository contexts that are written.
const (
	AccessLocalBlob   = "localBlob"
	AccessOCIArtifact = "ociArtifact"
	ContextOCI        = "OCIRegistry"
	MappingURLPath    = "urlPath"
	RelationLocal     = "local"
	RelationExternal  = "external"
)

// Descriptor is a component descriptor of schema v2.
type Descriptor struct {
	Meta      Meta      `json:"meta"`
	Component Component `json:"component"`
}

// Meta names the schema.
type Meta struct {
	SchemaVersion string `json:"schemaVersion"`
}

// Component is what the descriptor is of.
type Component struct {
	Name                string              `json:"name"`
	Version             string              `json:"version"`
	Provider            string              `json:"provider"`
	CreationTime        string              `json:"creationTime,omitempty"`
	Labels              []Label             `json:"labels,omitempty"`
	RepositoryContexts  []RepositoryContext `json:"repositoryContexts"`
	Sources             []Source            `json:"sources"`
	ComponentReferences []any               `json:"componentReferences"`
	Resources           []Resource          `json:"resources"`
}

// Label is a value with a name.
type Label struct {
	Name    string `json:"name"`
	Value   any    `json:"value"`
	Version string `json:"version,omitempty"`
}

// RepositoryContext is where the component is or was; the last one counts.
type RepositoryContext struct {
	Type                 string `json:"type"`
	BaseURL              string `json:"baseUrl"`
	ComponentNameMapping string `json:"componentNameMapping,omitempty"`
	SubPath              string `json:"subPath,omitempty"`
}

// Source is where the component is made from.
type Source struct {
	Name    string       `json:"name"`
	Type    string       `json:"type"`
	Version string       `json:"version"`
	Labels  []Label      `json:"labels,omitempty"`
	Access  SourceAccess `json:"access"`
}

// SourceAccess is a commit of a Git repository.
type SourceAccess struct {
	Type    string `json:"type"`
	RepoURL string `json:"repoUrl"`
	Commit  string `json:"commit"`
}

// Resource is a part of the component.
type Resource struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	Type     string  `json:"type"`
	Relation string  `json:"relation"`
	Labels   []Label `json:"labels,omitempty"`
	Access   Access  `json:"access"`
	Digest   *Digest `json:"digest,omitempty"`
}

// Access is how a resource is had: a layer of the artifact, or an image.
type Access struct {
	Type           string `json:"type"`
	MediaType      string `json:"mediaType,omitempty"`
	LocalReference string `json:"localReference,omitempty"`
	ReferenceName  string `json:"referenceName,omitempty"`
	ImageReference string `json:"imageReference,omitempty"`
}

// Digest is a resource's.
type Digest struct {
	HashAlgorithm          string `json:"hashAlgorithm"`
	NormalisationAlgorithm string `json:"normalisationAlgorithm"`
	Value                  string `json:"value"`
}

// ConfigBlob is the artifact's configuration; it has nothing else.
type ConfigBlob struct {
	ComponentDescriptorLayer *LayerReference `json:"componentDescriptorLayer,omitempty"`
}

// LayerReference points at the layer with the descriptor.
type LayerReference struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}
