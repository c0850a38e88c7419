package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	spdx "github.com/spdx/tools-golang/json"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/referrer"
)

// What is read here is read as a user of the namespace would: with the
// namespace's own credentials, and by the standard's ways only.
var _ = It("says of a running Function's image what it was made of", func(ctx SpecContext) {
	fn := nodejs(restrictedNamespace(ctx), "described", `module.exports = { main: () => String(require("is-number")(1)) };`,
		`{"dependencies": {"is-number": "7.0.0"}}`)
	Expect(k8s.Create(ctx, fn)).To(Succeed())
	Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("true"))

	subject, login := pullable(ctx, fn.Namespace, image(ctx, fn))
	found, err := remote.Image(subject, login)
	Expect(err).NotTo(HaveOccurred())
	manifest, err := found.Manifest()
	Expect(err).NotTo(HaveOccurred())
	const prefix = "org.opencontainers.image."
	Expect(manifest.Annotations).To(And(
		HaveKeyWithValue(prefix+"created", "1970-01-01T00:00:00Z"),
		HaveKeyWithValue(prefix+"revision", MatchRegexp("^sha256:[0-9a-f]{64}$")),
		HaveKeyWithValue(prefix+"source", "urn:"+manifest.Annotations[prefix+"revision"]),
		HaveKeyWithValue(prefix+"base.name", variable(operator(ctx), "IMAGE_FUNCTION_RUNTIME_NODEJS22")),
		HaveKeyWithValue(prefix+"base.digest", HavePrefix("sha256:")),
	))

	document, err := spdx.Read(bytes.NewReader(attached(subject, "application/spdx+json", login)))
	Expect(err).NotTo(HaveOccurred())
	Expect(document.Packages).To(ContainElement(And(HaveField("PackageName", "is-number"), HaveField("PackageVersion", "7.0.0"))))
	var statement struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		PredicateType string `json:"predicateType"`
		Predicate     struct {
			BuildDefinition struct {
				ResolvedDependencies []struct {
					Name   string            `json:"name"`
					Digest map[string]string `json:"digest"`
				} `json:"resolvedDependencies"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	Expect(json.Unmarshal(attached(subject, "application/vnd.in-toto+json", login), &statement)).To(Succeed())
	Expect(statement.PredicateType).To(Equal("https://slsa.dev/provenance/v1"))
	Expect(statement.Subject).To(ConsistOf(HaveField("Digest", HaveKeyWithValue("sha256", strings.TrimPrefix(subject.DigestStr(), "sha256:")))))
	Expect(statement.Predicate.BuildDefinition.ResolvedDependencies).To(ContainElement(And(HaveField("Name", "base"),
		HaveField("Digest", HaveKeyWithValue("sha256", strings.TrimPrefix(manifest.Annotations[prefix+"base.digest"], "sha256:"))))))
})

// pullable names an image as this machine reaches it, with the namespace's login.
func pullable(ctx context.Context, namespace, reference string) (name.Digest, remote.Option) {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "serverless-registry-config-default"}, &secret)).To(Succeed())
	var nodes corev1.NodeList
	Expect(k8s.List(ctx, &nodes)).To(Succeed())
	node := nodes.Items[0].Status.Addresses[0].Address
	host, path, _ := strings.Cut(reference, "/")
	_, port, err := net.SplitHostPort(host)
	Expect(err).NotTo(HaveOccurred())
	digest, err := name.NewDigest(net.JoinHostPort(node, port)+"/"+path, name.Insecure)
	Expect(err).NotTo(HaveOccurred())
	return digest, remote.WithAuth(&authn.Basic{Username: string(secret.Data["username"]), Password: string(secret.Data["password"])})
}

// attached is the content of the one artifact of the type that is attached to the image.
func attached(to name.Digest, of types.MediaType, login remote.Option) []byte {
	GinkgoHelper()
	contents, err := referrer.Read(to, of, login)
	Expect(err).NotTo(HaveOccurred())
	Expect(contents).To(HaveLen(1))
	return contents[0]
}
