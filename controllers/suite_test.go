package controllers_test

import (
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
})

// startAPIServer starts an API server with one of our CRDs. Each reconciler
// has its own: the operator removes CRDs and what is in all namespaces. No
// controller runs beside the one under test, so specs play, for example, the
// one that sets a Deployment's status.
func startAPIServer(crd string) (*rest.Config, *runtime.Scheme) {
	GinkgoHelper()
	server := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases", crd)},
		ErrorIfCRDPathMissing: true,
	}
	// Nothing here releases volumes in use, so nothing may hold them.
	server.ControlPlane.GetAPIServer().Configure().Append("disable-admission-plugins", "StorageObjectInUseProtection")
	config, err := server.Start()
	Expect(err).NotTo(HaveOccurred(), "set KUBEBUILDER_ASSETS to what `build/bin/cluster assets` prints")
	DeferCleanup(server.Stop)

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, operatorv1alpha1.AddToScheme, v1alpha2.AddToScheme,
	} {
		Expect(add(scheme)).To(Succeed())
	}
	return config, scheme
}
