// Package revision decides which states of a Function are kept as
// ControllerRevisions, and what going back to one of them means.
package revision

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

const (
	// AnnotationImage holds the image, by digest, that a revision ran from
	// last. It is not in the data, which never changes: a runtime's update
	// gives the same state another image.
	AnnotationImage = "serverless.kyma-project.io/image"
	// annotationChangeCause is what `kubectl rollout history` shows of other workloads.
	annotationChangeCause = "kubernetes.io/change-cause"

	// maxSize of a record leaves room for metadata within the 1.5 MiB that
	// etcd takes of an object.
	maxSize = 1280 << 10
)

// State is what of a Function belongs to a revision: what runs, not how many
// Pods of it, nor how many revisions are kept. A Function of a Git source is
// in another state at each commit.
type State struct {
	// Name is that of the revision which holds the state, now or later: equal
	// states have one name.
	Name string
	data []byte
}

// record is a revision's data: all that is needed, with the image, to run the state.
type record struct {
	Spec v1alpha2.FunctionSpec `json:"spec"`
}

// StateOf returns the Function's state. The commit is that of a Git source.
func StateOf(fn *v1alpha2.Function, commit string) (State, error) {
	spec := withCountsOf(fn.Spec, v1alpha2.FunctionSpec{})
	if spec.Source.GitRepository != nil && commit != "" {
		spec.Source.GitRepository.Reference = commit
	}
	data, err := canonical(record{Spec: spec})
	if err != nil {
		return State{}, fmt.Errorf("record spec of Function %s: %w", fn.Name, err)
	}
	// The UID keeps a new Function from meeting what is left of a former one of its name.
	sum := sha256.Sum256(append([]byte(fn.UID), data...))
	return State{Name: fn.Name + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10]), data: data}, nil
}

// Check tells what to do about a state which is too large to be kept.
func (s State) Check() error {
	if len(s.data) <= maxSize {
		return nil
	}
	return fmt.Errorf("the spec takes %d KiB, and a revision holds at most %d: it runs, but to go back to it, apply its manifest again",
		len(s.data)>>10, maxSize>>10)
}

// withCountsOf is the spec with the fields that no revision holds taken from
// the other one. Autoscalers and `kubectl scale` write them, and going back to
// earlier code must not undo that.
func withCountsOf(spec, other v1alpha2.FunctionSpec) v1alpha2.FunctionSpec {
	spec = *spec.DeepCopy()
	spec.Replicas, spec.ScaleConfig, spec.RevisionHistoryLimit = other.Replicas, other.ScaleConfig, other.RevisionHistoryLimit
	return spec
}

// canonical is the record's JSON with its keys sorted: the same text also
// after fields have changed places in the Go type.
func canonical(r record) ([]byte, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&r)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(content)
	return bytes.TrimSpace(text.Bytes()), err
}

// revision is the state as a child of the Function.
func (s State) revision(fn *v1alpha2.Function, image string, number int64) *appsv1.ControllerRevision {
	revision := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Name, Namespace: fn.Namespace, Labels: workload.Labels(fn), OwnerReferences: workload.OwnerReferences(fn),
			Annotations: map[string]string{AnnotationImage: image},
		},
		Data:     runtime.RawExtension{Raw: s.data},
		Revision: number,
	}
	if cause := fn.Annotations[annotationChangeCause]; cause != "" {
		revision.Annotations[annotationChangeCause] = cause
	}
	return revision
}
