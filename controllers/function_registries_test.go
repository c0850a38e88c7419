package controllers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	openregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/registry"
	"kyma-project.io/serverless/internal/volume"
)

// startRegistries starts the module's own registry for Functions, and one for releases.
func (w *functionWorld) startRegistries() {
	GinkgoHelper()
	registry.LogTo(slog.New(slog.DiscardHandler))
	storage := GinkgoT().TempDir()
	Expect(os.WriteFile(filepath.Join(storage, "username"), []byte("user"), 0o600)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(storage, "password"), []byte("secret"), 0o600)).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	reviews, err := authenticationclient.NewForConfig(w.config)
	Expect(err).NotTo(HaveOccurred())
	own, err := registry.NewHandler(ctx, registry.Options{
		Storage: filepath.Join(storage, "images"), CredentialsDir: storage, Tokens: registry.NewTokens(reviews.TokenReviews(), functionAccount),
		Now:     func() time.Time { return time.Now().Add(time.Duration(w.passed.Load())) },
		Measure: w.measureRegistry,
	})
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if w.registryDown.Load() {
			panic(http.ErrAbortHandler)
		}
		own.ServeHTTP(response, request)
	}))
	DeferCleanup(server.Close)
	w.registryHost = strings.TrimPrefix(server.URL, "http://")

	w.releases = httptest.NewServer(openregistry.New(openregistry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	DeferCleanup(w.releases.Close)
}

// measureRegistry plays its volume, which is no part of the machine's disk.
func (w *functionWorld) measureRegistry() (volume.Usage, error) {
	usage := volume.Usage{Bytes: volume.Amount{Total: 20 << 30, Available: 10 << 30}}
	if w.registryFull.Load() {
		usage.Bytes.Available = 0
	}
	return usage, nil
}

// releaseBase publishes a base image of a few KB and returns its reference.
func (w *functionWorld) releaseBase(repository string) string {
	GinkgoHelper()
	return w.releaseBaseWith(repository, nil)
}

// releaseBaseWith publishes one with labels.
func (w *functionWorld) releaseBaseWith(repository string, labels map[string]string) string {
	GinkgoHelper()
	base, err := random.Image(1024, 2)
	Expect(err).NotTo(HaveOccurred())
	config, err := base.ConfigFile()
	Expect(err).NotTo(HaveOccurred())
	config = config.DeepCopy()
	config.OS, config.Architecture = image.Platform().OS, image.Platform().Architecture
	config.Config.Labels = labels
	base, err = mutate.ConfigFile(base, config)
	Expect(err).NotTo(HaveOccurred())
	reference, err := name.ParseReference(strings.TrimPrefix(w.releases.URL, "http://") + "/" + repository + ":1")
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Write(reference, base)).To(Succeed())
	return reference.String()
}

// pushDependencies plays the builder in the Job's Pod: it publishes a layer.
func (w *functionWorld) pushDependencies(ctx context.Context, job *batchv1.Job, reference string) {
	GinkgoHelper()
	root := GinkgoT().TempDir()
	Expect(os.MkdirAll(filepath.Join(root, "node_modules"), 0o755)).To(Succeed())
	// Each layer has a content of its own.
	Expect(os.WriteFile(filepath.Join(root, "node_modules", "installed"), []byte(reference), 0o600)).To(Succeed())
	reader, writer := io.Pipe()
	go func() {
		writer.CloseWithError(image.WriteTree(writer, root, []string{"node_modules"}, "/usr/src/app/function"))
	}()
	directory := GinkgoT().TempDir()
	defer w.mountToken(ctx, job, directory)()
	_, err := image.Target{Reference: reference, PlainHTTP: true, TokenFile: filepath.Join(directory, "token")}.PushLayer(ctx, reader)
	Expect(err).NotTo(HaveOccurred())
}
