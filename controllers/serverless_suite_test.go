package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/controllers"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/installation"
	"kyma-project.io/serverless/internal/logging"
	"kyma-project.io/serverless/internal/module"
)

// operatorWorld is a cluster in which the operator runs.
type operatorWorld struct {
	client.Client
	// writes counts what the operator wrote, dry runs left out.
	writes *atomic.Int64
	// log is what the operator says about its own log.
	log *gbytes.Buffer
	// config has the operator's permissions, admin has all.
	config *rest.Config
	admin  *rest.Config
	scheme *runtime.Scheme
}

// startOperator starts an API server and the operator.
func startOperator() *operatorWorld {
	GinkgoHelper()
	world := newOperatorWorld()
	world.runOperator(world.counting)
	return world
}

// newOperatorWorld starts an API server.
func newOperatorWorld() *operatorWorld {
	GinkgoHelper()
	config, scheme := startAPIServer("operator.kyma-project.io_serverlesses.yaml")
	direct, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(direct.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kyma-system"}})).To(Succeed())
	// The operator may do what its manifest says, and no more.
	return &operatorWorld{Client: direct, writes: &atomic.Int64{}, log: gbytes.NewBuffer(), config: asOperator(config, direct), admin: config, scheme: scheme}
}

// runOperator runs one with its requests wrapped, until stop is called or the specs are over.
func (w *operatorWorld) runOperator(wrap transport.WrapperFunc) (stop func()) {
	GinkgoHelper()
	config := rest.CopyConfig(w.config)
	config.Wrap(wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  w.scheme,
		Cache:   controllers.ServerlessCacheOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		// Specs run several operators in one process.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	live, err := client.New(mgr.GetConfig(), client.Options{Scheme: w.scheme, Mapper: mgr.GetRESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	cluster, err := discovery.NewDiscoveryClientForConfig(w.config)
	Expect(err).NotTo(HaveOccurred())
	parts, err := chart.Load(charts.Serverless, "serverless")
	Expect(err).NotTo(HaveOccurred())

	reconciler := &controllers.ServerlessReconciler{
		Client:       mgr.GetClient(),
		Live:         live,
		Capabilities: func() (*chartutil.Capabilities, error) { return chart.Capabilities(cluster) },
		Chart:        parts,
		Images: module.Images{
			FunctionController: "registry.test/function-controller:1",
			FunctionBuilder:    "registry.test/function-builder:1",
			FunctionRegistry:   "registry.test/function-registry:1",
			FunctionWebhook:    "registry.test/function-webhook:1",
			Runtimes:           map[string]string{"nodejs22": "registry.test/function-runtime-nodejs22:1", "nodejs24": "registry.test/function-runtime-nodejs24:1"},
		},
		Installation:     installation.New(live, mgr.GetClient()),
		Recorder:         mgr.GetEventRecorder("serverless-operator"),
		RegistryInterval: time.Second,
	}
	Expect(reconciler.SetupWithManager(mgr)).To(Succeed())
	log := &controllers.LogReconciler{Client: mgr.GetClient(), Log: logging.New(w.log)}
	Expect(log.SetupWithManager(mgr)).To(Succeed())

	running, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
	DeferCleanup(stop)
	return stop
}

// asOperator returns a configuration with the permissions of config/rbac.
func asOperator(config *rest.Config, direct client.Client) *rest.Config {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "config", "rbac", "role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	role := &rbacv1.ClusterRole{}
	Expect(yaml.UnmarshalStrict(text, role)).To(Succeed())
	Expect(direct.Create(context.Background(), role)).To(Succeed())
	Expect(direct.Create(context.Background(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "operator"}},
	})).To(Succeed())
	restricted := rest.CopyConfig(config)
	restricted.Impersonate = rest.ImpersonationConfig{UserName: "operator", Groups: []string{"system:authenticated"}}
	return restricted
}

// counting counts writes. Events are left out: they follow from writes of the status.
func (w *operatorWorld) counting(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		reads := request.Method == http.MethodGet || request.URL.Query().Has("dryRun")
		if !reads && !strings.Contains(request.URL.Path, "/events") {
			w.writes.Add(1)
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// serverless builds a resource for the module.
func serverless(namespace, name string, spec v1alpha1.ServerlessSpec) *v1alpha1.Serverless {
	return &v1alpha1.Serverless{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

// internalRegistry is the spec that asks for the module's own registry.
func internalRegistry() v1alpha1.ServerlessSpec {
	return v1alpha1.ServerlessSpec{DockerRegistry: &v1alpha1.DockerRegistry{EnableInternal: new(true)}}
}

// install creates a resource, plays the Deployments' controller, and waits for a state.
func (w *operatorWorld) install(ctx context.Context, object *v1alpha1.Serverless, state v1alpha1.State) {
	GinkgoHelper()
	Expect(w.Create(ctx, object)).To(Succeed())
	w.becomes(ctx, object, state)
}

// becomes waits until a resource is in a state, and everything is available meanwhile.
func (w *operatorWorld) becomes(ctx context.Context, object *v1alpha1.Serverless, state v1alpha1.State) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		w.makeAvailable(ctx, g, object.Namespace)
		g.Expect(w.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		g.Expect(object.Status.State).To(Equal(state), "conditions: %v", object.Status.Conditions)
	}).Should(Succeed())
}

// edit changes a resource, whatever else changes it.
func (w *operatorWorld) edit(ctx context.Context, object *v1alpha1.Serverless, change func()) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change()
		return w.Update(ctx, object)
	})).To(Succeed())
}

// makeAvailable reports each Deployment as available in its present generation.
func (w *operatorWorld) makeAvailable(ctx context.Context, g Gomega, namespace string) {
	list := &appsv1.DeploymentList{}
	g.Expect(w.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	for _, deployment := range list.Items {
		if deployment.DeletionTimestamp != nil {
			collect(ctx, g, w, &deployment)
			continue
		}
		if deployment.Status.ObservedGeneration == deployment.Generation {
			continue
		}
		deployment.Status.ObservedGeneration = deployment.Generation
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}}
		replicas := *deployment.Spec.Replicas
		deployment.Status.Replicas, deployment.Status.UpdatedReplicas = replicas, replicas
		deployment.Status.ReadyReplicas, deployment.Status.AvailableReplicas = replicas, replicas
		g.Expect(w.Status().Update(ctx, &deployment)).To(Succeed())
	}
}

// collect plays the garbage collector: the Pods of a Deployment are gone.
func collect(ctx context.Context, g Gomega, w *operatorWorld, deployment *appsv1.Deployment) {
	former := deployment.DeepCopy()
	deployment.Finalizers = nil
	g.Expect(client.IgnoreNotFound(w.Patch(ctx, deployment, client.MergeFrom(former)))).To(Succeed())
}

// settles waits until the operator writes no more, and returns its number of
// writes. Events are written when there is time, which on a busy machine is late.
func (w *operatorWorld) settles() int64 {
	GinkgoHelper()
	settled, since := int64(-1), time.Now()
	Eventually(func() time.Duration {
		if writes := w.writes.Load(); writes != settled {
			settled, since = writes, time.Now()
		}
		return time.Since(since)
	}).Should(BeNumerically(">", 3*time.Second))
	return settled
}

// removeAll deletes all resources and waits until they are gone.
func (w *operatorWorld) removeAll(ctx context.Context) {
	GinkgoHelper()
	list := &v1alpha1.ServerlessList{}
	Eventually(func(g Gomega) {
		g.Expect(w.List(ctx, list)).To(Succeed())
		for _, item := range list.Items {
			g.Expect(client.IgnoreNotFound(w.Delete(ctx, &item))).To(Succeed())
		}
		g.Expect(list.Items).To(BeEmpty())
	}).Should(Succeed())
}

// env returns the environment of the first container of the function controller.
func (w *operatorWorld) env(ctx context.Context, namespace string) (map[string]string, error) {
	deployment := &appsv1.Deployment{}
	if err := w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "serverless-ctrl-mngr"}, deployment); err != nil {
		return nil, fmt.Errorf("get function controller: %w", err)
	}
	env := map[string]string{}
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	return env, nil
}

// haveCondition matches a resource with a condition.
func haveCondition(kind v1alpha1.ConditionType, status metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) OmegaMatcher {
	return WithTransform(func(object *v1alpha1.Serverless) string {
		found := meta.FindStatusCondition(object.Status.Conditions, string(kind))
		if found == nil {
			return ""
		}
		return fmt.Sprint(found.Status, "/", found.Reason, ": ", found.Message)
	}, Equal(fmt.Sprint(status, "/", reason, ": ", message)))
}

// managedObjects names what the operator made.
func managedObjects(ctx context.Context, world *operatorWorld) []string {
	GinkgoHelper()
	var names []string
	for _, object := range managed(ctx, world) {
		names = append(names, object.Kind+" "+object.Name)
	}
	return names
}

// managed is the metadata of what the operator made.
func managed(ctx context.Context, world *operatorWorld) []metav1.PartialObjectMetadata {
	GinkgoHelper()
	var objects []metav1.PartialObjectMetadata
	for _, kind := range installation.Kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		Expect(world.List(ctx, list, client.MatchingLabelsSelector{Selector: installation.Selector()})).To(Succeed())
		for _, item := range list.Items {
			item.SetGroupVersionKind(kind)
			objects = append(objects, item)
		}
	}
	return objects
}
