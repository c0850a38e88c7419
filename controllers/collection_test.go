package controllers_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/image"
)

// collectionSpecs are about which images stay in the module's own registry.
func collectionSpecs(w *functionWorld) {
	collect := func(ctx SpecContext) collection.Result {
		GinkgoHelper()
		collector := &controllers.Collection{Live: w.Client, Registries: &image.Registries{}, Base: moduleNamespace, RegistrySecret: registrySecretName}
		result, err := collector.Collect(ctx)
		Expect(err).NotTo(HaveOccurred())
		return result
	}
	pull := func(reference string) error {
		GinkgoHelper()
		parsed, err := name.ParseReference(strings.Replace(reference, nodesRegistry, w.registryHost, 1))
		Expect(err).NotTo(HaveOccurred())
		pulled, err := remote.Image(parsed, remote.WithAuth(&authn.Basic{Username: "user", Password: "secret"}))
		if err != nil {
			return err
		}
		layers, err := pulled.Layers()
		Expect(err).NotTo(HaveOccurred())
		for _, layer := range layers {
			content, err := layer.Compressed()
			if err != nil {
				return err
			}
			Expect(content.Close()).To(Succeed())
		}
		return nil
	}

	It("go once no Deployment and no kept revision has them, and not before", func(ctx SpecContext) {
		fn := function(w.newNamespace(ctx), "edited")
		fn.Spec.RevisionHistoryLimit = new(int32(1))
		w.run(ctx, fn)
		var images []string
		for _, source := range []string{"1", "2", "3"} {
			w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = "module.exports = {main: () => " + source + "}" })
			w.becomesReady(ctx, fn)
			images = append(images, w.image(ctx, fn))
		}
		Expect(collect(ctx)).To(BeZero(), "all was used just now")

		Eventually(func(g Gomega) {
			// The pull below is a use.
			w.passed.Add(int64(time.Hour))
			collect(ctx)
			g.Expect(pull(images[0])).To(HaveField("StatusCode", http.StatusNotFound))
		}).Should(Succeed())
		Expect(pull(images[1])).To(Succeed(), "a revision has it")
		Expect(pull(images[2])).To(Succeed(), "it runs")

		By("being built again when they are asked for again")
		w.change(ctx, fn, func() { fn.Spec.Source.Inline.Source = "module.exports = {main: () => 1}" })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).To(Equal(images[0]))
		Expect(pull(images[0])).To(Succeed())
	})
}
