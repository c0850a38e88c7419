package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/lifecyclemanager"
)

// The module as Kyma's control plane handles it (contract/kyma.md 1.3): only
// what is in the registry and in the release's files is used.
// Serial: it takes the module away, and in the end puts it back.
var _ = Describe("A Kyma control plane", Serial, Ordered, func() {
	const former, next = "1.0.0", "1.1.0"
	var (
		plane   *lifecyclemanager.ControlPlane
		cluster *lifecyclemanager.Cluster
		present *lifecyclemanager.Module
		fn      *v1alpha2.Function
		url     string
	)

	BeforeAll(func(ctx SpecContext) {
		images := variables(ctx)
		registry := strings.Split(images[0], "/")[0]
		plane = &lifecyclemanager.ControlPlane{Registry: registry + "/modules"}
		for _, version := range []string{former, next} {
			directory := makeModule(ctx, images, registry, version, "regular="+former, "fast="+next)
			plane.Templates = append(plane.Templates, filepath.Join(directory, "moduletemplate.yaml"))
			plane.Releases = filepath.Join(directory, "modulereleasemeta.yaml")
		}
		cluster = &lifecyclemanager.Cluster{Client: k8s, Owner: "lifecycle-manager"}
		namespace := restrictedNamespace(ctx)
		fn = nodejs(namespace, "served", answering("here"), "")

		var err error
		present, err = plane.Resolve(ctx, "serverless", "regular")
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) {
			Eventually(k8s.Delete).WithArguments(ctx, fn).Should(Or(MatchError(apierrors.IsNotFound, "IsNotFound"), MatchError(meta.IsNoMatchError, "IsNoMatchError")))
			Eventually(cluster.Disable).WithArguments(ctx, present).WithTimeout(ready).Should(Succeed())
			run(ctx, "build/bin/local", "--name", clusterName(), "up")
		})
		Eventually(cluster.Disable).WithArguments(ctx, present).WithTimeout(ready).Should(Succeed())
	})

	It("enables the module of a channel", func(ctx SpecContext) {
		Expect(present.Version).To(Equal(former))
		Eventually(cluster.Apply).WithArguments(ctx, present).Should(Succeed())
		Expect(cluster.Enable(ctx, present)).To(Succeed())
		Eventually(cluster.State).WithArguments(ctx, present).WithTimeout(ready).Should(Equal("Ready"))
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		Expect(controllerImage(ctx)).To(HaveSuffix(":" + former))
		Expect(k8s.Create(ctx, fn)).To(Succeed())
		url = expose(ctx, fn)
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("here"))
	})

	It("brings it to the version of another channel, and fails no request of a Function", func(ctx SpecContext) {
		calls := callThroughout(url)
		defer calls.stop()
		var err error
		present, err = plane.Resolve(ctx, "serverless", "fast")
		Expect(err).NotTo(HaveOccurred())
		Expect(present.Version).To(Equal(next))
		Expect(cluster.Apply(ctx, present)).To(Succeed())
		Eventually(func() string { return controllerImage(ctx) }).WithTimeout(ready).Should(HaveSuffix(":" + next))
		Eventually(cluster.State).WithArguments(ctx, present).WithTimeout(ready).Should(Equal("Ready"))
		Eventually(state(ctx, module)).WithTimeout(ready).Should(Equal("Ready"))
		edit(ctx, fn, func(spec *v1alpha2.FunctionSpec) { spec.Source.Inline.Source = answering("there") })
		Eventually(answer(url)).WithTimeout(ready).Should(Equal("there"))
		Eventually(condition(ctx, fn, v1alpha2.ConditionRunning)).WithTimeout(ready).Should(HaveField("Status", corev1.ConditionTrue))
		calls.stop()
		_, failures := calls.seen()
		Expect(failures).To(BeEmpty())
	})

	It("doesn't take it away while there are Functions", func(ctx SpecContext) {
		Expect(cluster.Disable(ctx, present)).To(MatchError(lifecyclemanager.ErrWaiting))
		Eventually(state(ctx, module)).Should(Equal("Warning"))
		Expect(cluster.Disable(ctx, present)).To(MatchError(lifecyclemanager.ErrWaiting))
		// For a moment after the edit a Pod with the former code may answer, too.
		Eventually(answer(url)).MustPassRepeatedly(20).Should(Equal("there"))
	})

	It("takes it away once the last Function is gone, and nothing is left", func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, fn)).To(Succeed())
		Eventually(cluster.Disable).WithArguments(ctx, present).WithTimeout(ready).Should(Succeed())
		// The lease, which the operator made for itself, is not the manifest's.
		namesNothing(ctx, leftover+`|(deployment\.apps|pod|serviceaccount)/serverless-operator|serverlesses\.operator`)
	})
})

// variables are the images that the operator's Deployment names, its own first.
func variables(ctx context.Context) []string {
	GinkgoHelper()
	container := operator(ctx).Spec.Template.Spec.Containers[0]
	images := []string{container.Image}
	for _, variable := range container.Env {
		if strings.HasPrefix(variable.Name, "IMAGE_") {
			images = append(images, variable.Value)
		}
	}
	return images
}

// makeModule publishes a version of the module of the images that there are,
// and returns the directory of its files.
func makeModule(ctx context.Context, images []string, registry, version string, channels ...string) string {
	GinkgoHelper()
	for _, image := range images {
		reference, err := name.ParseReference(image)
		Expect(err).NotTo(HaveOccurred())
		found, err := remote.Get(reference)
		Expect(err).NotTo(HaveOccurred())
		Expect(remote.Tag(reference.Context().Tag(version), found)).To(Succeed())
	}
	directory := GinkgoT().TempDir()
	args := []string{"create", "--version", version, "--images", registry, "--registry", registry + "/modules", "--output", directory}
	for _, channel := range channels {
		args = append(args, "--channel", channel)
	}
	run(ctx, "build/bin/module", args...)
	return directory
}

// run runs a program of the project from the top of its directory.
func run(ctx context.Context, program string, args ...string) {
	GinkgoHelper()
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = "../.."
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))
}

// clusterName is that of the local cluster: its kubeconfig is in a directory of the name.
func clusterName() string {
	return filepath.Base(filepath.Dir(os.Getenv("KUBECONFIG")))
}
