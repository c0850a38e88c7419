package controllers_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/internal/access"
)

// mountToken plays the kubelet: it writes the token of a Pod of the Job's to
// the directory, as the Pod asks for it. The Pod is there until end is called.
func (w *functionWorld) mountToken(ctx context.Context, job *batchv1.Job, directory string) (end func()) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, GenerateName: "push-"}, Spec: *job.Spec.Template.Spec.DeepCopy(),
	}
	Expect(w.Create(ctx, pod)).To(Succeed())
	for _, volume := range pod.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			token := w.token(ctx, pod, source.ServiceAccountToken)
			Expect(os.WriteFile(filepath.Join(directory, source.ServiceAccountToken.Path), []byte(token), 0o600)).To(Succeed())
		}
	}
	return func() { Expect(w.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed()) }
}

// token of the Pod, or one that is bound to none.
func (w *functionWorld) token(ctx context.Context, pod *corev1.Pod, asked *corev1.ServiceAccountTokenProjection) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{asked.Audience}, ExpirationSeconds: asked.ExpirationSeconds,
	}}
	if pod.UID != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	Expect(w.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}

// tokenSpecs are about what a build may push, and with what.
func tokenSpecs(w *functionWorld) {
	It("pushes to its namespace's cache with a token of its Pod, and to nothing else", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "pushing", "ms")
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, fn.Namespace)
		for _, volume := range job.Spec.Template.Spec.Volumes {
			if volume.Secret != nil {
				Expect(volume.Secret.SecretName).NotTo(Equal(registrySecretName))
			}
		}
		directory := GinkgoT().TempDir()
		end := w.mountToken(ctx, job, directory)
		token, err := os.ReadFile(filepath.Join(directory, "token"))
		Expect(err).NotTo(HaveOccurred())

		Expect(w.pushAs(string(token), fn.Namespace+".dependencies")).To(Succeed())
		for _, repository := range []string{fn.Namespace + "__pushing", "spec-other.dependencies", "runtimes"} {
			Expect(w.pushAs(string(token), repository)).To(HaveField("StatusCode", http.StatusUnauthorized), repository)
		}

		By("ending with its Pod")
		end()
		Eventually(func() error { return w.pushAs(string(token), fn.Namespace+".dependencies") }).Should(HaveField("StatusCode", http.StatusUnauthorized))
	})

	It("has no token for the API server, which doesn't take the registry's", func(ctx SpecContext) {
		fn := needing(w.newNamespace(ctx), "isolated", "ms")
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.onlyJob(ctx, fn.Namespace)
		template := job.Spec.Template.Spec
		Expect(template.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		var tokens []string
		for _, volume := range template.Volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				if source.ServiceAccountToken != nil {
					Expect(source.ServiceAccountToken.Audience).To(Equal(access.Audience))
					tokens = append(tokens, volume.Name)
				}
			}
		}
		Expect(tokens).To(HaveLen(1))
		for _, container := range append(template.InitContainers, template.Containers...) {
			mounts := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == tokens[0] })
			Expect(mounts).To(Equal(container.Name == "push"), "container %s sees the token", container.Name)
		}

		directory := GinkgoT().TempDir()
		defer w.mountToken(ctx, job, directory)()
		token, err := os.ReadFile(filepath.Join(directory, "token"))
		Expect(err).NotTo(HaveOccurred())
		config := rest.AnonymousClientConfig(w.config)
		config.BearerToken = string(token)
		stolen, err := authenticationclient.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		// Who is authenticated at all may ask who they are.
		_, err = stolen.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "%v", err)
	})

	It("needs a token of a Pod, for the registry, of the Functions' account", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "any")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.getsCopies(ctx, fn.Namespace)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "pod"}, Spec: corev1.PodSpec{
			ServiceAccountName: functionAccount, Containers: []corev1.Container{{Name: "any", Image: "any"}}}}
		unbound := pod.DeepCopy()
		Expect(w.Create(ctx, pod)).To(Succeed())
		Expect(w.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "other"}})).To(Succeed())
		others := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: "others"}, Spec: *pod.Spec.DeepCopy()}
		others.Spec.ServiceAccountName = "other"
		Expect(w.Create(ctx, others)).To(Succeed())

		cache := fn.Namespace + ".dependencies"
		projection := &corev1.ServiceAccountTokenProjection{Audience: access.Audience, ExpirationSeconds: new(int64(600))}
		Expect(w.pushAs(w.token(ctx, pod, projection), cache)).To(Succeed())
		for name, token := range map[string]string{
			"bound to no Pod":            w.token(ctx, unbound, projection),
			"of another account":         w.token(ctx, others, projection),
			"for the API server":         w.token(ctx, pod, &corev1.ServiceAccountTokenProjection{Audience: "https://kubernetes.default.svc.cluster.local", ExpirationSeconds: new(int64(600))}),
			"of the form, and no token":  "a.b.c",
			"a credential and no token":  "secret",
			"a token that was cut short": w.token(ctx, pod, projection)[:100],
		} {
			Expect(w.pushAs(token, cache)).To(HaveField("StatusCode", http.StatusUnauthorized), name)
		}
	})
}

// pushAs pushes an image without content to the repository.
func (w *functionWorld) pushAs(token, repository string) error {
	GinkgoHelper()
	reference, err := name.ParseReference(w.registryHost + "/" + repository + ":any")
	Expect(err).NotTo(HaveOccurred())
	return remote.Write(reference, empty.Image, remote.WithAuth(&authn.Basic{Username: access.TokenUser, Password: token}))
}
