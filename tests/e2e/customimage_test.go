package e2e

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const customImage = "../../examples/custom-runtime-image"

var _ = Describe("A runtime image of a user's own", func() {
	It("is made from the runtime's as its example says, and runs the example's Function", func(ctx SpecContext) {
		base, err := name.ParseReference(variable(operator(ctx), "IMAGE_FUNCTION_RUNTIME_NODEJS22"))
		Expect(err).NotTo(HaveOccurred())
		runtime, err := remote.Image(base, remote.WithContext(ctx))
		Expect(err).NotTo(HaveOccurred())
		target := base.Context().Tag("custom")
		Expect(remote.Write(target, buildDockerfile(customImage, runtime), remote.WithContext(ctx))).To(Succeed())

		text, err := os.ReadFile(filepath.Join(customImage, "function.yaml"))
		Expect(err).NotTo(HaveOccurred())
		fn := &v1alpha2.Function{}
		Expect(yaml.UnmarshalStrict(text, fn)).To(Succeed())
		fn.Namespace, fn.Spec.RuntimeImageOverride = restrictedNamespace(ctx), target.String()
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		Eventually(answer(expose(ctx, fn))).WithTimeout(ready).Should(Equal("Good morning, greeting!"))
	})
})

// environmentLine matches the one form of ENV that buildDockerfile knows.
var environmentLine = regexp.MustCompile(`^(\w+)="([^"]*)"$`)

// buildDockerfile does on the base what the folder's Dockerfile says. There is
// no container engine here, so it takes what only adds: COPY and ENV.
func buildDockerfile(folder string, base v1.Image) v1.Image {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	Expect(err).NotTo(HaveOccurred())
	image := base
	for _, line := range strings.Split(string(text), "\n") {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "", "#", "ARG":
		case "FROM":
			Expect(rest).To(Equal("${BASE_IMAGE}"))
		case "COPY":
			from, to, found := strings.Cut(rest, " ")
			Expect(found).To(BeTrue(), line)
			image, err = mutate.AppendLayers(image, directoryLayer(filepath.Join(folder, from), strings.TrimPrefix(to, "/")))
			Expect(err).NotTo(HaveOccurred())
		case "ENV":
			variable := environmentLine.FindStringSubmatch(rest)
			Expect(variable).NotTo(BeNil(), line)
			config, err := image.ConfigFile()
			Expect(err).NotTo(HaveOccurred())
			config = config.DeepCopy()
			config.Config.Env = append(config.Config.Env, variable[1]+"="+variable[2])
			image, err = mutate.ConfigFile(image, config)
			Expect(err).NotTo(HaveOccurred())
		default:
			Fail("the example's Dockerfile has an instruction that this test cannot do: " + line)
		}
	}
	return image
}

// directoryLayer has a directory's files below the path to.
func directoryLayer(directory, to string) v1.Layer {
	GinkgoHelper()
	var content bytes.Buffer
	writer := tar.NewWriter(&content)
	Expect(fs.WalkDir(os.DirFS(directory), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(directory, file))
		if err != nil {
			return err
		}
		if err := writer.WriteHeader(&tar.Header{Name: path.Join(to, file), Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = writer.Write(text)
		return err
	})).To(Succeed())
	Expect(writer.Close()).To(Succeed())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content.Bytes())), nil
	})
	Expect(err).NotTo(HaveOccurred())
	return layer
}
