package controllers_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

const reservedNames = "Following envs are reserved and cannot be used: ['FUNC_RUNTIME','FUNC_HANDLER','FUNC_PORT','MOD_NAME','NODE_PATH','PYTHONPATH']"

// functionResourceSpecs are about what the API server itself decides
// (contract/functions.md 2.1 to 2.3).
func functionResourceSpecs(w *functionWorld) {
	DescribeTable("is refused",
		func(ctx SpecContext, change func(*v1alpha2.FunctionSpec), message string) {
			fn := function("default", "refused")
			change(&fn.Spec)
			Expect(w.Create(ctx, fn, client.DryRunAll)).To(MatchError(ContainSubstring(message)))
		},
		Entry("with two sources", func(s *v1alpha2.FunctionSpec) { s.Source.GitRepository = repository() }, "Use GitRepository or Inline source"),
		Entry("without a source", func(s *v1alpha2.FunctionSpec) { s.Source = v1alpha2.Source{} }, "Use GitRepository or Inline source"),
		Entry("with empty code", func(s *v1alpha2.FunctionSpec) { s.Source.Inline.Source = "" }, "spec.source.inline.source"),
		Entry("with env FUNC_RUNTIME", withEnv("FUNC_RUNTIME"), reservedNames),
		Entry("with env FUNC_HANDLER", withEnv("FUNC_HANDLER"), reservedNames),
		Entry("with env FUNC_PORT", withEnv("FUNC_PORT"), reservedNames),
		Entry("with env MOD_NAME", withEnv("MOD_NAME"), reservedNames),
		Entry("with env NODE_PATH", withEnv("NODE_PATH"), reservedNames),
		Entry("with env PYTHONPATH", withEnv("PYTHONPATH"), reservedNames),
		Entry("with a label of ours", func(s *v1alpha2.FunctionSpec) { s.Labels = map[string]string{"serverless.kyma-project.io/x": "y"} },
			"Labels has key starting with serverless.kyma-project.io/ which is not allowed"),
		Entry("with a label value of 64 letters", func(s *v1alpha2.FunctionSpec) { s.Labels = map[string]string{"a": strings.Repeat("x", 64)} },
			"Label value cannot be longer than 63"),
		Entry("with an annotation of ours", func(s *v1alpha2.FunctionSpec) { s.Annotations = map[string]string{"serverless.kyma-project.io/x": "y"} },
			"Annotations has key starting with serverless.kyma-project.io/ which is not allowed"),
		Entry("with a profile and resources", withSize(&v1alpha2.ResourceRequirements{Profile: "XS", Resources: &corev1.ResourceRequirements{}}, nil),
			"Use profile or resources"),
		Entry("with a build profile and resources", withSize(nil, &v1alpha2.ResourceRequirements{Profile: "slow", Resources: &corev1.ResourceRequirements{}}),
			"Use profile or resources"),
		Entry("with neither profile nor resources", withSize(&v1alpha2.ResourceRequirements{}, nil), "Use profile or resources"),
		Entry("with an unknown profile", withSize(&v1alpha2.ResourceRequirements{Profile: "XXL"}, nil),
			"Invalid profile, please use one of: ['XS','S','M','L','XL']"),
		Entry("with an unknown build profile", withSize(nil, &v1alpha2.ResourceRequirements{Profile: "XS"}),
			"Invalid profile, please use one of: ['local-dev','slow','normal','fast']"),
		Entry("with bounds upside down", withScale(3, 2), "minReplicas should be less than or equal maxReplicas"),
		Entry("with a lower bound of 0", withScale(0, 2), "should be greater than or equal to 1"),
		Entry("with fewer than no replicas", func(s *v1alpha2.FunctionSpec) { s.Replicas = new(int32(-1)) }, "should be greater than or equal to 0"),
		Entry("with template labels", func(s *v1alpha2.FunctionSpec) { s.Template = &v1alpha2.Template{Labels: map[string]string{"a": "b"}} },
			"Not supported: Use spec.labels and spec.annotations to label and/or annotate Function's Pods."),
		Entry("with template annotations", func(s *v1alpha2.FunctionSpec) {
			s.Template = &v1alpha2.Template{Annotations: map[string]string{"a": "b"}}
		},
			"Not supported: Use spec.labels and spec.annotations to label and/or annotate Function's Pods."),
		Entry("from Git with a blank directory", fromGit(func(g *v1alpha2.GitRepositorySource) { g.BaseDir = " " }), "BaseDir is required and cannot be empty"),
		Entry("from Git without a directory", fromGit(func(g *v1alpha2.GitRepositorySource) { g.BaseDir = "" }), "BaseDir is required and cannot be empty"),
		Entry("from Git with a blank reference", fromGit(func(g *v1alpha2.GitRepositorySource) { g.Reference = " " }), "Reference is required and cannot be empty"),
		Entry("from Git without a reference", fromGit(func(g *v1alpha2.GitRepositorySource) { g.Reference = "" }), "Reference is required and cannot be empty"),
		Entry("from Git with a blank Secret", fromGit(func(g *v1alpha2.GitRepositorySource) {
			g.Auth = &v1alpha2.RepositoryAuth{Type: "basic", SecretName: " "}
		}), "SecretName is required and cannot be empty"),
		Entry("from Git with an unknown way to authenticate", fromGit(func(g *v1alpha2.GitRepositorySource) {
			g.Auth = &v1alpha2.RepositoryAuth{Type: "token", SecretName: "a"}
		}), `Unsupported value: "token"`),
		Entry("with an unknown runtime", func(s *v1alpha2.FunctionSpec) { s.Runtime = "cobol" }, `spec.runtime: Unsupported value: "cobol"`),
		Entry("with a mount of no Secret", func(s *v1alpha2.FunctionSpec) { s.SecretMounts = []v1alpha2.SecretMount{{MountPath: "/a"}} }, "secretName"),
		Entry("with a mount to nowhere", func(s *v1alpha2.FunctionSpec) { s.SecretMounts = []v1alpha2.SecretMount{{SecretName: "a"}} }, "mountPath"),
	)

	DescribeTable("is accepted",
		func(ctx SpecContext, change func(*v1alpha2.FunctionSpec)) {
			fn := function("default", "accepted")
			change(&fn.Spec)
			Expect(w.Create(ctx, fn, client.DryRunAll)).To(Succeed())
		},
		Entry("with another env", withEnv("FUNC_NAME")),
		Entry("with our domain alone as a label", func(s *v1alpha2.FunctionSpec) { s.Labels = map[string]string{"serverless.kyma-project.io": "y"} }),
		Entry("with our domain alone as an annotation", func(s *v1alpha2.FunctionSpec) { s.Annotations = map[string]string{"serverless.kyma-project.io": "y"} }),
		Entry("with a label value of 63 letters", func(s *v1alpha2.FunctionSpec) { s.Labels = map[string]string{"a": strings.Repeat("x", 63)} }),
		Entry("with profiles", withSize(&v1alpha2.ResourceRequirements{Profile: "XL"}, &v1alpha2.ResourceRequirements{Profile: "local-dev"})),
		Entry("with equal bounds", withScale(2, 2)),
		Entry("with no replicas", func(s *v1alpha2.FunctionSpec) { s.Replicas = new(int32(0)) }),
		Entry("with an empty template", func(s *v1alpha2.FunctionSpec) { s.Template = &v1alpha2.Template{} }),
		Entry("from Git", fromGit(func(g *v1alpha2.GitRepositorySource) { g.Auth = &v1alpha2.RepositoryAuth{Type: "key", SecretName: "a"} })),
		Entry("with nodejs12, which was offered once", withRuntime("nodejs12")),
		Entry("with nodejs14, which was offered once", withRuntime("nodejs14")),
		Entry("with python38, which was offered once", withRuntime("python38")),
		Entry("with python39, which was offered once", withRuntime("python39")),
		Entry("with python313, which other installations may offer", withRuntime("python313")),
	)

	It("has short names, and is listed among all", func() {
		discovery, err := discovery.NewDiscoveryClientForConfig(w.config)
		Expect(err).NotTo(HaveOccurred())
		list, err := discovery.ServerResourcesForGroupVersion(v1alpha2.GroupVersion.String())
		Expect(err).NotTo(HaveOccurred())
		Expect(list.APIResources).To(ContainElement(And(
			HaveField("Name", "functions"), HaveField("ShortNames", ConsistOf("fn", "fns")), HaveField("Categories", ConsistOf("all")))))
	})

	It("is listed with its conditions", func(ctx SpecContext) {
		Expect(columns(ctx, w.config, "serverless.kyma-project.io/v1alpha2/functions")).To(
			Equal([]string{"Name", "Configured", "Built", "Running", "Runtime", "Version", "Age"}))
	})
}

// columns are those that `kubectl get` shows, in order.
func columns(ctx context.Context, config *rest.Config, resource string) []string {
	GinkgoHelper()
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(config.Host, "/")+"/apis/"+resource, nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := httpClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	var table metav1.Table
	Expect(json.Unmarshal(text, &table)).To(Succeed())
	var names []string
	for _, column := range table.ColumnDefinitions {
		names = append(names, column.Name)
	}
	return names
}

// functionRatchetingSpecs are about Functions that an older version accepted.
func functionRatchetingSpecs(w *functionWorld) {
	It("stays editable where an older version took what this one refuses, and can't get worse", func(ctx SpecContext) {
		namespace := w.newNamespace(ctx)
		restore := w.withoutEnvRule(ctx)
		old := function(namespace, "old")
		old.Spec.Env = []corev1.EnvVar{{Name: "FUNC_PORT", Value: "1234"}}
		Eventually(func() error { return w.Create(ctx, old) }).Should(Succeed())
		restore()
		Eventually(func() error {
			fresh := function(namespace, "fresh")
			fresh.Spec.Env = old.Spec.Env
			return w.Create(ctx, fresh, client.DryRunAll)
		}).Should(MatchError(ContainSubstring(reservedNames)))

		w.change(ctx, old, func() { old.Spec.Source.Inline.Source += " // edited" })
		w.becomesReady(ctx, old)
		old.Spec.Env = append(old.Spec.Env, corev1.EnvVar{Name: "MOD_NAME", Value: "x"})
		Expect(w.Update(ctx, old)).To(MatchError(ContainSubstring(reservedNames)))
	})
}

// withoutEnvRule makes the CRD one that takes any environment variable, until restored.
func (w *functionWorld) withoutEnvRule(ctx context.Context) (restore func()) {
	GinkgoHelper()
	key := client.ObjectKey{Name: "functions.serverless.kyma-project.io"}
	var former apiextensionsv1.JSONSchemaProps
	setEnv := func(change func(env *apiextensionsv1.JSONSchemaProps)) {
		GinkgoHelper()
		Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
			var crd apiextensionsv1.CustomResourceDefinition
			if err := w.Get(ctx, key, &crd); err != nil {
				return err
			}
			spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
			env := spec.Properties["env"]
			change(&env)
			spec.Properties["env"] = env
			return w.Update(ctx, &crd)
		})).To(Succeed())
	}
	setEnv(func(env *apiextensionsv1.JSONSchemaProps) {
		former = *env.DeepCopy()
		env.XValidations = nil
	})
	restore = sync.OnceFunc(func() { setEnv(func(env *apiextensionsv1.JSONSchemaProps) { *env = former }) })
	DeferCleanup(restore)
	return restore
}

func repository() *v1alpha2.GitRepositorySource {
	return &v1alpha2.GitRepositorySource{URL: "https://git.local/a", Repository: v1alpha2.Repository{BaseDir: "/", Reference: "main"}}
}

func fromGit(change func(*v1alpha2.GitRepositorySource)) func(*v1alpha2.FunctionSpec) {
	return func(spec *v1alpha2.FunctionSpec) {
		spec.Source = v1alpha2.Source{GitRepository: repository()}
		change(spec.Source.GitRepository)
	}
}

func withRuntime(name v1alpha2.Runtime) func(*v1alpha2.FunctionSpec) {
	return func(spec *v1alpha2.FunctionSpec) { spec.Runtime = name }
}

func withEnv(name string) func(*v1alpha2.FunctionSpec) {
	return func(spec *v1alpha2.FunctionSpec) {
		spec.Env = []corev1.EnvVar{{Name: "FINE"}, {Name: name, Value: "x"}}
	}
}

func withSize(function, build *v1alpha2.ResourceRequirements) func(*v1alpha2.FunctionSpec) {
	return func(spec *v1alpha2.FunctionSpec) {
		spec.ResourceConfiguration = &v1alpha2.ResourceConfiguration{Function: function, Build: build}
	}
}

func withScale(least, most int32) func(*v1alpha2.FunctionSpec) {
	return func(spec *v1alpha2.FunctionSpec) {
		spec.ScaleConfig = &v1alpha2.ScaleConfig{MinReplicas: &least, MaxReplicas: &most}
	}
}
