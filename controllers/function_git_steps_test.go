package controllers_test

import (
	"archive/tar"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/crypto/ssh"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/gitserver"
)

// gitHost is a real Git server with a repository of its own for one spec.
type gitHost struct {
	*gitserver.Repository
	root, url string
	// lists counts how often the references were asked for over HTTP.
	lists atomic.Int32
	down  atomic.Bool
}

func newGitHost(user, password string) *gitHost {
	GinkgoHelper()
	host := &gitHost{root: GinkgoT().TempDir()}
	var err error
	host.Repository, err = gitserver.Create(host.root, "shop.git")
	Expect(err).NotTo(HaveOccurred())
	handler, err := gitserver.HTTP(host.root, user, password)
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if host.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(request.URL.Path, "/info/refs") {
			host.lists.Add(1)
		}
		handler.ServeHTTP(response, request)
	}))
	DeferCleanup(server.Close)
	host.url = server.URL + "/shop.git"
	return host
}

// overSSH serves the repository to the key and returns its address.
func (h *gitHost) overSSH(key ssh.PublicKey) string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = listener.Close() })
	server, err := gitserver.NewSSH(h.root, key)
	Expect(err).NotTo(HaveOccurred())
	go server.Serve(listener)
	return "ssh://git@" + listener.Addr().String() + "/shop.git"
}

// commit puts the files on the branch.
func (h *gitHost) commit(branch string, files map[string]string) string {
	GinkgoHelper()
	commit, err := h.Commit(branch, gitserver.Files(files))
	Expect(err).NotTo(HaveOccurred())
	return commit
}

func ofRepository(namespace, name, url, reference, baseDir string) *v1alpha2.Function {
	fn := function(namespace, name)
	fn.Spec.Source = v1alpha2.Source{GitRepository: &v1alpha2.GitRepositorySource{
		URL: url, Repository: v1alpha2.Repository{BaseDir: baseDir, Reference: reference},
	}}
	return fn
}

// continuously has the Function's reference looked at often.
func continuously(fn *v1alpha2.Function) *v1alpha2.Function {
	fn.Annotations = map[string]string{v1alpha2.AnnotationContinuousGitCheckout: "True"}
	return fn
}

// with authenticates the Function by a Secret that is made of the data.
func (w *functionWorld) with(ctx context.Context, fn *v1alpha2.Function, kind v1alpha2.RepositoryAuthType, data map[string]string) *v1alpha2.Function {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: fn.Name + "-git"}, StringData: data}
	Expect(w.Create(ctx, secret)).To(Succeed())
	fn.Spec.Source.GitRepository.Auth = &v1alpha2.RepositoryAuth{Type: kind, SecretName: secret.Name}
	return fn
}

// activeJob waits for the namespace's one Job that has not ended.
func (w *functionWorld) activeJob(ctx context.Context, namespace string) *batchv1.Job {
	GinkgoHelper()
	var active []batchv1.Job
	Eventually(func() []batchv1.Job {
		active = nil
		for _, job := range w.jobs(ctx, namespace) {
			if len(job.Status.Conditions) == 0 {
				active = append(active, job)
			}
		}
		return active
	}).Should(HaveLen(1))
	return &active[0]
}

// fetch plays the kubelet: it runs the Job's containers on this machine, as
// far as they succeed.
func (w *functionWorld) fetch(ctx context.Context, job *batchv1.Job) {
	GinkgoHelper()
	pod := job.Spec.Template.Spec
	Expect(pod.InitContainers[0].Name).To(Equal("fetch"))
	root := GinkgoT().TempDir()
	Expect(os.Mkdir(filepath.Join(root, "workspace"), 0o755)).To(Succeed())
	for _, volume := range pod.Volumes {
		if volume.Name == "git-credentials" {
			w.mount(ctx, client.ObjectKey{Namespace: job.Namespace, Name: volume.Secret.SecretName}, filepath.Join(root, "git-credentials"))
		}
	}
	pushing := GinkgoT().TempDir()
	defer w.mountToken(ctx, job, pushing)()
	local := strings.NewReplacer("=/push-credentials", "="+pushing, "=/workspace", "="+root+"/workspace", "=/git-credentials", "="+root+"/git-credentials", "$$", "$")
	for _, container := range append(pod.InitContainers, pod.Containers...) {
		var args []string
		for _, argument := range container.Args {
			args = append(args, local.Replace(argument))
		}
		var log strings.Builder
		command := exec.CommandContext(ctx, builder(), args...)
		command.Stdout, command.Stderr = &log, &log
		err := command.Run()
		var exited *exec.ExitError
		if errors.As(err, &exited) {
			w.fail(ctx, job, log.String(), metav1.Now())
			return
		}
		Expect(err).NotTo(HaveOccurred())
	}
	w.succeed(ctx, Default, job)
}

// push tells of a push as GitHub does, and returns the answer's status.
func (w *functionWorld) push(namespace, secret, url string) int {
	GinkgoHelper()
	body := fmt.Sprintf(`{"repository": {"clone_url": %q}}`, url)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	request := httptest.NewRequest(http.MethodPost, "/git-push/"+namespace, strings.NewReader(body))
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response := httptest.NewRecorder()
	w.gitPush.ServeHTTP(response, request)
	return response.Code
}

// output runs a container of the Job that is the builder on this machine, and
// returns a file of the workspace.
func (w *functionWorld) output(ctx context.Context, job *batchv1.Job, container corev1.Container, file string) string {
	GinkgoHelper()
	workspace, pushing := GinkgoT().TempDir(), GinkgoT().TempDir()
	defer w.mountToken(ctx, job, pushing)()
	local := strings.NewReplacer("=/push-credentials", "="+pushing, "=/workspace", "="+workspace, "$$", "$")
	var args []string
	for _, argument := range container.Args {
		args = append(args, local.Replace(argument))
	}
	log, err := exec.CommandContext(ctx, builder(), args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(log))
	text, err := os.ReadFile(filepath.Join(workspace, file))
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// mount writes a Secret's keys to files.
func (w *functionWorld) mount(ctx context.Context, name client.ObjectKey, directory string) {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(w.Get(ctx, name, &secret)).To(Succeed())
	Expect(os.Mkdir(directory, 0o755)).To(Succeed())
	for key, value := range secret.Data {
		Expect(os.WriteFile(filepath.Join(directory, key), value, 0o600)).To(Succeed())
	}
}

var builderProgram string

// builder compiles the program of build Jobs, once.
func builder() string {
	GinkgoHelper()
	if builderProgram == "" {
		directory, err := os.MkdirTemp("", "builder-")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { builderProgram = ""; _ = os.RemoveAll(directory) })
		output, err := exec.Command("go", "build", "-o", filepath.Join(directory, "builder"), "../cmd/builder").CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), string(output))
		builderProgram = filepath.Join(directory, "builder")
	}
	return builderProgram
}

// filesOf are the regular files in the last layer of the Function's image.
func (w *functionWorld) filesOf(ctx context.Context, fn *v1alpha2.Function) map[string]string {
	GinkgoHelper()
	reference := strings.Replace(w.image(ctx, fn), nodesRegistry, w.registryHost, 1)
	parsed, err := name.ParseReference(reference)
	Expect(err).NotTo(HaveOccurred())
	pulled, err := remote.Image(parsed, remote.WithAuth(&authn.Basic{Username: "user", Password: "secret"}))
	Expect(err).NotTo(HaveOccurred())
	layers, err := pulled.Layers()
	Expect(err).NotTo(HaveOccurred())
	content, err := layers[len(layers)-1].Uncompressed()
	Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		Expect(err).NotTo(HaveOccurred())
		if header.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(reader)
			Expect(err).NotTo(HaveOccurred())
			files[header.Name] = string(text)
		}
	}
}
