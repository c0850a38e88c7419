package controllers_test

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/tests/gitserver"
)

// functionGitSpecs are about Functions whose code is in Git (contract/functions.md 2.8, and 12, checks 64 and 65).
func functionGitSpecs(w *functionWorld) {
	configured := func(ctx SpecContext, fn *v1alpha2.Function) {
		GinkgoHelper()
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionTrue, v1alpha2.ReasonSourceUpdated, Equal("Sources "+fn.Name+" updated"))
	}
	unconfigured := func(ctx SpecContext, fn *v1alpha2.Function, message string) {
		GinkgoHelper()
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonSourceUpdateFailed, ContainSubstring(message))
	}

	It("runs the directory of a branch, and nothing else of the repository", func(ctx SpecContext) {
		host := newGitHost("", "")
		commit := host.commit("feature/x", map[string]string{"orders/handler.js": "1", "orders/lib/a.js": "2", "other/secret": "3"})
		fn := ofRepository(w.newNamespace(ctx), "orders", host.url, "feature/x", "/orders")
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.activeJob(ctx, fn.Namespace)
		configured(ctx, fn)
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionUnknown, v1alpha2.ReasonJobRunning, Equal("Job "+job.Name+" is still in progress"))
		w.fetch(ctx, job)
		w.becomesReady(ctx, fn)

		Expect(fn.Status.Commit).To(Equal(commit))
		Expect(fn.Status.Repository).To(Equal(v1alpha2.Repository{BaseDir: "/orders", Reference: "feature/x"}))
		Expect(fn.Status.GitRepository).To(HaveValue(Equal(v1alpha2.GitRepositoryStatus{
			URL: host.url, Repository: v1alpha2.Repository{BaseDir: "/orders", Reference: "feature/x"}, Commit: commit,
		})))
		Expect(w.filesOf(ctx, fn)).To(Equal(map[string]string{
			"usr/src/app/function/handler.js": "1", "usr/src/app/function/lib/a.js": "2", "usr/src/app/function/package.json": "{}",
		}))
		var configMaps corev1.ConfigMapList
		Expect(w.List(ctx, &configMaps, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})).To(Succeed())
		Expect(configMaps.Items).To(BeEmpty())
	})

	It("installs the dependencies of the directory", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1", "package.json": `{"name": "a", "dependencies": {"ms": "2.1.3"}}`})
		fn := ofRepository(w.newNamespace(ctx), "needs", host.url, "main", "/")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		install := w.activeJob(ctx, fn.Namespace)
		Expect(install.Spec.Template.Spec.InitContainers[0].Env).To(ContainElement(corev1.EnvVar{Name: "DEPENDENCIES", Value: `{"dependencies":{"ms":"2.1.3"}}`}))
		w.finish(ctx, install)
		w.becomesReady(ctx, fn)
	})

	It("installs by the lock file of the directory, which the install gets without credentials", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1", "package.json": `{"dependencies": {"ms": "2"}}`, "package-lock.json": `{"packages": {}}`})
		fn := ofRepository(w.newNamespace(ctx), "locked", host.url, "main", "/")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		install := w.activeJob(ctx, fn.Namespace)
		containers := install.Spec.Template.Spec.InitContainers
		Expect(containers).To(HaveExactElements(HaveField("Name", "lock"), HaveField("Name", "install")))
		Expect(containers[1].Command[2]).To(ContainSubstring("npm ci "))
		Expect(containers[1].VolumeMounts).NotTo(ContainElement(HaveField("Name", "push-credentials")))
		Expect(w.output(ctx, install, containers[0], "package-lock.json")).To(Equal(`{"packages":{}}`))
		w.finish(ctx, install)
		w.becomesReady(ctx, fn)
	})

	It("picks up a new commit, fetches none twice, and rolls out only what concerns the directory", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"a/handler.js": "1"})
		fn := continuously(ofRepository(w.newNamespace(ctx), "follows", host.url, "main", "a"))
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
		first := w.image(ctx, fn)

		same := host.commit("main", map[string]string{"a/handler.js": "1", "b": "2"})
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Status.Commit).To(Equal(same))
		}).Should(Succeed())
		Expect(w.image(ctx, fn)).To(Equal(first))

		host.commit("main", map[string]string{"a/handler.js": "3"})
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		Eventually(func() string { return w.image(ctx, fn) }).ShouldNot(Equal(first))
		w.becomesReady(ctx, fn)

		jobs := len(w.jobs(ctx, fn.Namespace))
		w.change(ctx, fn, func() { fn.Spec.Source.GitRepository.Reference = same })
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).To(Equal(first))
		Expect(w.jobs(ctx, fn.Namespace)).To(HaveLen(jobs))
	})

	It("picks up a commit at once after the host's webhook, which the namespace's secret signs", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1"})
		fn := ofRepository(w.newNamespace(ctx), "pushed", host.url, "main", "/")
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
		commit := host.commit("main", map[string]string{"handler.js": "2"})

		const secret = "the secret of this namespace"
		asked := host.lists.Load()
		Expect(w.push(fn.Namespace, secret, host.url)).To(Equal(http.StatusUnauthorized), "the namespace has no secret yet")
		Expect(w.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: fn.Namespace, Name: controllers.GitPushSecret}, StringData: map[string]string{"secret": secret},
		})).To(Succeed())
		Expect(w.push(fn.Namespace, "another secret of whoever", host.url)).To(Equal(http.StatusUnauthorized))
		Expect(w.push(fn.Namespace, secret, host.url+"/other")).To(Equal(http.StatusAccepted), "it tells nothing of what is known")
		Consistently(host.lists.Load).WithTimeout(500 * time.Millisecond).Should(Equal(asked))

		Expect(w.push(fn.Namespace, secret, host.url)).To(Equal(http.StatusAccepted))
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
		Expect(fn.Status.Commit).To(Equal(commit))
	})

	It("runs tags and fixed commits, and asks no server for the latter", func(ctx SpecContext) {
		host := newGitHost("", "")
		commit := host.commit("main", map[string]string{"handler.js": "1"})
		Expect(host.Tag("v1", commit, "")).To(Succeed())
		Expect(host.Tag("v2", commit, "annotated")).To(Succeed())
		namespace := w.newNamespace(ctx)
		fixed := ofRepository(namespace, "fixed", host.url, commit, "/")
		Expect(w.Create(ctx, fixed)).To(Succeed())
		job := w.activeJob(ctx, namespace)
		Expect(host.lists.Load()).To(BeZero())
		w.fetch(ctx, job)
		w.becomesReady(ctx, fixed)
		for _, tag := range []string{"v1", "v2"} {
			fn := ofRepository(namespace, tag, host.url, tag, "/")
			w.run(ctx, fn)
			Expect(fn.Status.Commit).To(Equal(commit))
		}
	})

	It("asks once for all Functions of a repository", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1"})
		namespace := w.newNamespace(ctx)
		var functions []*v1alpha2.Function
		for i := range 10 {
			fn := ofRepository(namespace, fmt.Sprintf("one-of-%d", i), host.url, "main", "/")
			Expect(w.Create(ctx, fn)).To(Succeed())
			functions = append(functions, fn)
		}
		for _, fn := range functions {
			configured(ctx, fn)
		}
		Expect(host.lists.Load()).To(BeNumerically("<", 5))
		w.fetch(ctx, w.activeJob(ctx, namespace))
		for _, fn := range functions {
			w.becomesReady(ctx, fn)
		}
		Expect(w.jobs(ctx, namespace)).To(HaveLen(1))
	})

	It("says that a branch is not there, and goes on when it appears", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1"})
		fn := continuously(ofRepository(w.newNamespace(ctx), "early", host.url, "next", "/"))
		Expect(w.Create(ctx, fn)).To(Succeed())
		unconfigured(ctx, fn, "Stop reconciliation, reason: branch or tag next of repository "+host.url+" was not found")
		Eventually(func() []string { return w.events(ctx, fn) }).Should(ContainElement("Warning SourceUpdateFailed"))
		host.commit("next", map[string]string{"handler.js": "1"})
		configured(ctx, fn)
	})

	It("says that credentials are wrong, serves on, and goes on with the right ones", func(ctx SpecContext) {
		host := newGitHost("ann", "s3cret")
		host.commit("main", map[string]string{"handler.js": "1"})
		fn := function(w.newNamespace(ctx), "private")
		w.run(ctx, fn)
		before := w.image(ctx, fn)

		moved := w.with(ctx, ofRepository(fn.Namespace, "private", host.url, "main", "/"), "basic", map[string]string{"username": "ann", "password": "wr0ng"})
		w.change(ctx, fn, func() { fn.Spec.Source = moved.Spec.Source })
		w.shows(ctx, fn, v1alpha2.ConditionConfigurationReady, corev1.ConditionFalse, v1alpha2.ReasonSourceUpdateFailed,
			Equal("Authorization to git server failed"))
		Expect(w.image(ctx, fn)).To(Equal(before))
		Expect(fn).To(haveStatus(v1alpha2.ConditionRunning, corev1.ConditionTrue, v1alpha2.ReasonDeploymentReady, Not(BeEmpty())))
		var configMaps corev1.ConfigMapList
		Expect(w.List(ctx, &configMaps, client.InNamespace(fn.Namespace), client.MatchingLabels{v1alpha2.LabelUUID: string(fn.UID)})).To(Succeed())
		Expect(configMaps.Items).To(BeEmpty())

		secret := &corev1.Secret{}
		Expect(w.Get(ctx, client.ObjectKey{Namespace: fn.Namespace, Name: "private-git"}, secret)).To(Succeed())
		secret.StringData = map[string]string{"password": "s3cret"}
		Expect(w.Update(ctx, secret)).To(Succeed())
		var job *batchv1.Job
		Eventually(func() []batchv1.Job { return w.jobs(ctx, fn.Namespace) }).WithTimeout(time.Minute).Should(HaveLen(1))
		job = w.activeJob(ctx, fn.Namespace)
		w.fetch(ctx, job)
		w.becomesReady(ctx, fn)
		Expect(w.image(ctx, fn)).NotTo(Equal(before))

		w.change(ctx, fn, func() { fn.Spec.Source = function("", "").Spec.Source })
		w.becomesReady(ctx, fn)
		Expect(fn.Status.Commit).To(BeEmpty())
		Expect(fn.Status.GitRepository).To(BeNil())
		Expect(w.image(ctx, fn)).To(Equal(before))
	})

	It("names the Secret that is missing", func(ctx SpecContext) {
		fn := ofRepository(w.newNamespace(ctx), "nosecret", newGitHost("", "").url, "main", "/")
		fn.Spec.Source.GitRepository.Auth = &v1alpha2.RepositoryAuth{Type: "basic", SecretName: "none"}
		Expect(w.Create(ctx, fn)).To(Succeed())
		unconfigured(ctx, fn, "Sources update failed, reason: Secret none of spec.source.gitRepository.auth: it was not found; create it")
	})

	It("says that its Secret can't be read, and goes on once it can", func(ctx SpecContext) {
		host := newGitHost("ann", "s3cret")
		host.commit("main", map[string]string{"handler.js": "1"})
		fn := w.with(ctx, ofRepository(w.newNamespace(ctx), "closed", host.url, "main", "/"), "basic", map[string]string{"username": "ann", "password": "s3cret"})
		path := "/api/v1/namespaces/" + fn.Namespace + "/secrets/closed-git"
		w.forbidden.Store(path, true)
		DeferCleanup(func() { w.forbidden.Delete(path) })
		Expect(w.Create(ctx, fn)).To(Succeed())
		unconfigured(ctx, fn, "Sources update failed, reason: read Secret closed-git of spec.source.gitRepository.auth: no permission")
		w.forbidden.Delete(path)
		configured(ctx, fn)
	})

	It("can be changed while the Git server is down", func(ctx SpecContext) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1"})
		fn := continuously(ofRepository(w.newNamespace(ctx), "robust", host.url, "main", "/"))
		Expect(w.Create(ctx, fn)).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)

		host.down.Store(true)
		unconfigured(ctx, fn, "Sources update failed, reason: "+host.url+" broke off the connection")
		w.change(ctx, fn, func() { fn.Spec.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} })
		Eventually(func(g Gomega) {
			g.Expect(w.deployment(ctx, g, fn).Spec.Template.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "A", Value: "b"}))
		}).Should(Succeed())
		w.serves(ctx, fn)
	})

	DescribeTable("comes over SSH", func(ctx SpecContext, passphrase string) {
		host := newGitHost("", "")
		host.commit("main", map[string]string{"handler.js": "1"})
		private, public, err := gitserver.NewKey(passphrase)
		Expect(err).NotTo(HaveOccurred())
		fn := ofRepository(w.newNamespace(ctx), "ssh", host.overSSH(public), "main", "/")
		data := map[string]string{"key": private}
		if passphrase != "" {
			data["password"] = passphrase
		}
		Expect(w.Create(ctx, w.with(ctx, fn, "key", data))).To(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
		Expect(fn.Status.GitRepository.HostKey).To(HavePrefix("ssh-ed25519 SHA256:"))
	},
		Entry("with a key", ""),
		Entry("with a key that has a passphrase", "open sesame"),
	)

	It("says what of the repository can't be run, and recovers by a new commit", func(ctx SpecContext) {
		host := newGitHost("ann", "s3cret")
		host.commit("main", map[string]string{"readme": "1"})
		fn := continuously(w.with(ctx, ofRepository(w.newNamespace(ctx), "lacking", host.url, "main", "/"), "basic",
			map[string]string{"username": "ann", "password": "s3cret"}))
		Expect(w.Create(ctx, fn)).To(Succeed())
		job := w.activeJob(ctx, fn.Namespace)
		w.fetch(ctx, job)
		w.shows(ctx, fn, v1alpha2.ConditionBuildReady, corev1.ConditionFalse, v1alpha2.ReasonJobFailed,
			And(HavePrefix("Job "+job.Name+" failed, it will be re-run: "), ContainSubstring("has no file handler.js in directory /; add it")))

		commit := host.commit("main", map[string]string{"handler.js": "1"})
		Eventually(func(g Gomega) {
			g.Expect(w.Get(ctx, client.ObjectKeyFromObject(fn), fn)).To(Succeed())
			g.Expect(fn.Status.Commit).To(Equal(commit))
		}).Should(Succeed())
		w.fetch(ctx, w.activeJob(ctx, fn.Namespace))
		w.becomesReady(ctx, fn)
	})
}
