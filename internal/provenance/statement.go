// Package provenance states what an image was made of, as SLSA provenance in
// an in-toto statement. Equal inputs give equal statements: there is neither a
// time nor a name of a run in them.
package provenance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// MediaType is that of a statement, and the type of the artifact that has it.
const MediaType types.MediaType = "application/vnd.in-toto+json"

const (
	// PredicateType is that of SLSA provenance.
	PredicateType = "https://slsa.dev/provenance/v1"
	// AnnotationPredicate names the predicate type, for those who look for it
	// among artifacts.
	AnnotationPredicate = "in-toto.io/predicate-type"

	buildType = "https://kyma-project.io/serverless/function-image/v1"
	builderID = "https://kyma-project.io/serverless/function-controller"
)

// Input is something that an image was made of.
type Input struct {
	// Name says what it is: base, source, dependencies.
	Name string
	// URI is where it is, without credentials; it may be empty.
	URI string
	// Digest is ALGORITHM:HEX, as sha256:… or gitCommit:…
	Digest string
}

// Build is how an image was made.
type Build struct {
	// Image is its name, without registry and tag, and Digest that of its manifest.
	Image, Digest string
	// Parameters are what the Function says.
	Parameters map[string]string
	// Internal are what the module adds to it.
	Internal map[string]string
	Inputs   []Input
}

// Statement returns the statement in JSON.
func Statement(build Build) ([]byte, error) {
	definition := &provenance.BuildDefinition{BuildType: buildType}
	var err error
	if definition.ExternalParameters, err = structOf(build.Parameters); err != nil {
		return nil, err
	}
	if definition.InternalParameters, err = structOf(build.Internal); err != nil {
		return nil, err
	}
	for _, input := range build.Inputs {
		definition.ResolvedDependencies = append(definition.ResolvedDependencies,
			&intoto.ResourceDescriptor{Name: input.Name, Uri: input.URI, Digest: digestSet(input.Digest)})
	}
	predicate := &provenance.Provenance{
		BuildDefinition: definition,
		RunDetails:      &provenance.RunDetails{Builder: &provenance.Builder{Id: builderID}},
	}
	if err := predicate.Validate(); err != nil {
		return nil, fmt.Errorf("state provenance of %s: %w", build.Image, err)
	}
	text, err := protojson.Marshal(predicate)
	if err != nil {
		return nil, fmt.Errorf("write provenance of %s: %w", build.Image, err)
	}
	content := &structpb.Struct{}
	if err := protojson.Unmarshal(text, content); err != nil {
		return nil, fmt.Errorf("write provenance of %s: %w", build.Image, err)
	}
	statement := &intoto.Statement{
		Type:          intoto.StatementTypeUri,
		Subject:       []*intoto.ResourceDescriptor{{Name: build.Image, Digest: digestSet(build.Digest)}},
		PredicateType: PredicateType,
		Predicate:     content,
	}
	if err := statement.Validate(); err != nil {
		return nil, fmt.Errorf("state provenance of %s: %w", build.Image, err)
	}
	return canonical(statement)
}

// canonical has one form for equal statements: protojson varies its spaces on purpose.
func canonical(message proto.Message) ([]byte, error) {
	text, err := protojson.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	return json.Marshal(value)
}

func structOf(values map[string]string) (*structpb.Struct, error) {
	fields := map[string]any{}
	for name, value := range values {
		if value != "" {
			fields[name] = value
		}
	}
	made, err := structpb.NewStruct(fields)
	if err != nil {
		return nil, fmt.Errorf("state parameters: %w", err)
	}
	return made, nil
}

func digestSet(digest string) map[string]string {
	algorithm, value, found := strings.Cut(digest, ":")
	if !found {
		return nil
	}
	return map[string]string{algorithm: value}
}
