package build

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/runtime"
	"kyma-project.io/serverless/internal/source"
)

const commit = "0123456789012345678901234567890123456789"

var testBase = image.Base{Digest: "sha256:" + strings.Repeat("b", 64), ABI: "node-22"}

func inline(namespace, name string) Request {
	return Request{
		Function: &v1alpha2.Function{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.Now()}},
		Source:   source.Source{Files: map[string][]byte{"handler.js": []byte("main")}, Dependencies: source.Manifest(`{"dependencies":{"ms":"2"}}`)},
		Runtime:  runtime.Runtime{Name: "nodejs22", Image: "registry.test/prod/nodejs22:1.2.3"},
	}
}

func fromGit(url string) Request {
	in := inline("shop", "orders")
	in.Function.Spec.Source.GitRepository = &v1alpha2.GitRepositorySource{URL: url, Repository: v1alpha2.Repository{Reference: "main"}}
	in.Source = source.Git(source.Revision{URL: url, Commit: commit, BaseDir: "/orders", Content: "sha256:1"})
	return in
}

func TestEqualInputsHaveEqualAnnotations(t *testing.T) {
	one, other := inline("shop", "orders"), inline("bakery", "bread")
	first, second := annotations(one, testBase, originOf(one, nil)), annotations(other, testBase, originOf(other, nil))
	for name, value := range first {
		if value == "" || second[name] != value {
			t.Errorf("%s is %q and %q", name, value, second[name])
		}
	}
	if first[annotationCreated] != "1970-01-01T00:00:00Z" || !strings.HasPrefix(first[annotationRevision], "sha256:") {
		t.Errorf("%v", first)
	}
	other.Source.Files["handler.js"] = []byte("other")
	if annotations(other, testBase, originOf(other, nil))[annotationRevision] == first[annotationRevision] {
		t.Error("another source has an equal revision")
	}
}

func TestImageFromGitNamesTheCommitAndItsTime(t *testing.T) {
	in := fromGit("https://git.test/shop.git")
	at := time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("CET", 3600))
	got := annotations(in, testBase, originOf(in, &image.PublishedSource{Created: at}))
	for name, want := range map[string]string{
		annotationSource: "https://git.test/shop.git", annotationRevision: commit, annotationCreated: "2026-01-02T03:04:05Z",
		annotationBaseName: "registry.test/prod/nodejs22:1.2.3", annotationBaseDigest: testBase.Digest,
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	// Fetched by a builder of before.
	if got := originOf(in, &image.PublishedSource{}).Created; !got.Equal(time.Unix(0, 0)) {
		t.Errorf("created %s", got)
	}
}

func TestNoCredentialIsPublished(t *testing.T) {
	const secret = "s3cret"
	for _, url := range []string{
		"https://ann:" + secret + "@git.test/shop.git", "https://" + secret + "@git.test/shop.git",
		"https://git.test/shop.git?private_token=" + secret, "ssh://git:" + secret + "@git.test/shop.git",
	} {
		in := fromGit(url)
		in.Source.Dependencies = source.Manifest(`{"dependencies":{"a":"git+https://ann:` + secret + `@git.test/a.git"}}`)
		in.PackageRegistry = map[string][]byte{".npmrc": []byte("//registry.test/:_authToken=" + secret)}
		from := originOf(in, nil)
		made := assembled()
		made.Packages = `{"packages":[{"type":"npm","name":"a","version":"1.0.0"}]}`
		artifacts, err := attestations(in, Plan{Image: "key"}, testBase, from, made)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{}
		for _, artifact := range artifacts {
			texts = append(texts, string(artifact.Content))
		}
		for _, value := range annotations(in, testBase, from) {
			texts = append(texts, value)
		}
		if text := strings.Join(texts, "\n"); strings.Contains(text, secret) || !strings.Contains(text, "git.test/shop.git") {
			t.Errorf("%s: %s", url, text)
		}
	}
}

func TestProvenanceNamesAllInputs(t *testing.T) {
	in := fromGit("https://git.test/shop.git")
	in.Source.Dependencies = source.Manifest(`{}`)
	artifacts, err := attestations(in, Plan{Image: "key"}, testBase, originOf(in, nil), assembled())
	if err != nil || len(artifacts) != 2 {
		t.Fatalf("%d artifacts, %v", len(artifacts), err)
	}
	var statement intoto.Statement
	if err := protojson.Unmarshal(artifacts[1].Content, &statement); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(statement.GetPredicate().AsMap())
	if err != nil {
		t.Fatal(err)
	}
	var predicate provenance.Provenance
	if err := protojson.Unmarshal(text, &predicate); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil {
		t.Error(err)
	}
	if err := predicate.Validate(); err != nil {
		t.Error(err)
	}
	subject := statement.GetSubject()[0]
	if subject.GetName() != "shop__orders" || subject.GetDigest()["sha256"] != strings.Repeat("a", 64) {
		t.Errorf("subject %v", subject)
	}
	found := map[string]map[string]string{}
	for _, input := range predicate.GetBuildDefinition().GetResolvedDependencies() {
		found[input.GetName()] = input.GetDigest()
	}
	for name, want := range map[string]string{
		"base": strings.Repeat("b", 64), "source layer": strings.Repeat("c", 64), "dependency layer": strings.Repeat("d", 64),
	} {
		if found[name]["sha256"] != want {
			t.Errorf("%s: %v", name, found[name])
		}
	}
	if found["source"]["gitCommit"] != commit || found["dependencies"]["sha256"] == "" {
		t.Errorf("%v", found)
	}
	again, err := attestations(in, Plan{Image: "key"}, testBase, originOf(in, nil), assembled())
	if err != nil || string(again[0].Content) != string(artifacts[0].Content) || string(again[1].Content) != string(artifacts[1].Content) {
		t.Errorf("another time others: %v", err)
	}
}

func TestFunctionWithoutPackagesHasAnEmptyList(t *testing.T) {
	in := inline("shop", "orders")
	made := assembled()
	made.Dependencies = ""
	artifacts, err := attestations(in, Plan{Image: "key"}, testBase, originOf(in, nil), made)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(artifacts[0].Content); strings.Contains(text, "not listed") || strings.Contains(text, "Package-1") {
		t.Error(text)
	}
	if text := string(artifacts[1].Content); strings.Contains(text, "dependency layer") {
		t.Error(text)
	}
}

func assembled() image.Assembled {
	return image.Assembled{
		Digest: "sha256:" + strings.Repeat("a", 64), Source: "sha256:" + strings.Repeat("c", 64), Dependencies: "sha256:" + strings.Repeat("d", 64),
	}
}
