package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	openregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/charts"
	"kyma-project.io/serverless/internal/chart"
	"kyma-project.io/serverless/internal/image"
	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/tests/controlplane"
)

const (
	moduleNamespace      = "kyma-system"
	controllerDeployment = "serverless-ctrl-mngr"
	// controllerUser is who the controller is in a cluster, with the rights that the chart gives it.
	controllerUser = "system:serviceaccount:kyma-system:serverless-controller-manager"
)

// installation is the module on a control plane: its chart's objects, and its
// programs as processes of this machine, since no node runs any.
type installation struct {
	plane  *controlplane.ControlPlane
	client client.Client
	dir    string

	controller *controlplane.Process
	ends       []func()
}

func install(ctx context.Context, plane *controlplane.ControlPlane, c client.Client, dir string) (*installation, error) {
	i := &installation{plane: plane, client: c, dir: dir}
	if err := i.start(ctx); err != nil {
		i.stop()
		return nil, err
	}
	return i, nil
}

func (i *installation) stop() {
	for _, end := range slices.Backward(i.ends) {
		end()
	}
}

func (i *installation) start(ctx context.Context) error {
	if err := buildPrograms(ctx, i.dir, "function-controller", "registry"); err != nil {
		return err
	}
	base, err := i.releaseBase()
	if err != nil {
		return err
	}
	registry, err := i.startRegistry(ctx)
	if err != nil {
		return err
	}
	objects, err := render(i.plane, registry, base)
	if err != nil {
		return err
	}
	var controller *appsv1.Deployment
	for _, object := range objects {
		if object.GetKind() == "Deployment" && object.GetName() == controllerDeployment {
			controller = &appsv1.Deployment{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, controller); err != nil {
				return fmt.Errorf("read Deployment %s: %w", controllerDeployment, err)
			}
		}
		if !runs(object) {
			if err := i.client.Create(ctx, object); err != nil {
				return fmt.Errorf("create %s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	if controller == nil {
		return fmt.Errorf("install the module: its chart has no Deployment %s", controllerDeployment)
	}
	return i.startController(ctx, controller.Spec.Template.Spec.Containers[0])
}

// runs tells whether the object is one of a program in the cluster; those run beside it.
func runs(object *unstructured.Unstructured) bool {
	return slices.Contains([]string{
		"Deployment", "Service", "PersistentVolumeClaim", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
	}, object.GetKind())
}

// buildPrograms compiles the module's programs into the directory.
func buildPrograms(ctx context.Context, dir string, programs ...string) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, program := range programs {
		args = append(args, "./cmd/"+program)
	}
	if output, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the module's programs: %w\n%s", err, output)
	}
	return nil
}

// releaseBase publishes a small image as the runtime's: nothing is run of it.
func (i *installation) releaseBase() (string, error) {
	releases := httptest.NewServer(openregistry.New(openregistry.Logger(log.New(io.Discard, "", 0))))
	i.ends = append(i.ends, releases.Close)
	base, err := random.Image(1<<10, 3)
	if err != nil {
		return "", err
	}
	config, err := base.ConfigFile()
	if err != nil {
		return "", err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = image.Platform().OS, image.Platform().Architecture
	if base, err = mutate.ConfigFile(base, config); err != nil {
		return "", err
	}
	reference, err := name.ParseReference(strings.TrimPrefix(releases.URL, "http://") + "/nodejs22:1")
	if err != nil {
		return "", err
	}
	if err := remote.Write(reference, base); err != nil {
		return "", fmt.Errorf("publish runtime image: %w", err)
	}
	return reference.String(), nil
}

// startRegistry starts the module's registry, with an empty storage.
func (i *installation) startRegistry(ctx context.Context) (module.Registry, error) {
	address, err := freeAddress()
	if err != nil {
		return module.Registry{}, err
	}
	storage, err := os.MkdirTemp(i.dir, "registry-")
	if err != nil {
		return module.Registry{}, err
	}
	i.ends = append(i.ends, func() { os.RemoveAll(storage) })
	for key, value := range map[string]string{"username": "user", "password": "secret"} {
		if err := os.WriteFile(filepath.Join(storage, key), []byte(value), 0o600); err != nil {
			return module.Registry{}, err
		}
	}
	process, err := controlplane.StartProcess(ctx, controlplane.Program{
		Name: "registry", Path: filepath.Join(i.dir, "registry"),
		Args: []string{"--address=" + address, "--metrics-address=", "--storage=" + storage, "--credentials-dir=" + storage, "--log-level=warn"},
	}, i.dir)
	if err != nil {
		return module.Registry{}, err
	}
	i.ends = append(i.ends, process.Stop)
	return module.Registry{
		ServerAddress: address, RegistryAddress: address, Credentials: module.Credentials{Username: "user", Password: "secret"},
	}, nil
}

// render gives what the operator would apply.
func render(plane *controlplane.ControlPlane, registry module.Registry, base string) ([]*unstructured.Unstructured, error) {
	cluster, err := discovery.NewDiscoveryClientForConfig(plane.Admin)
	if err != nil {
		return nil, err
	}
	capabilities, err := chart.Capabilities(cluster)
	if err != nil {
		return nil, err
	}
	parts, err := chart.Load(charts.Serverless, "serverless")
	if err != nil {
		return nil, err
	}
	configuration := module.Configuration{Registry: registry, Presets: module.Presets{BuildJob: "normal", RuntimePod: "XS"}}
	images := module.Images{FunctionController: "controller", FunctionBuilder: "builder", FunctionRegistry: "registry", FunctionWebhook: "webhook", Runtimes: map[string]string{"nodejs22": base}}
	values := configuration.Values(images)
	// Nobody runs it here, and the API server would wait for it.
	values["webhook"] = map[string]any{"enabled": false}
	return parts.Render(chart.Release{Name: module.Release, Namespace: moduleNamespace}, values, capabilities)
}

// startController runs what the chart's container would run, as the user that
// it would be.
func (i *installation) startController(ctx context.Context, container corev1.Container) error {
	kubeconfig, err := i.plane.Kubeconfig(controllerUser, "system:serviceaccounts", "system:serviceaccounts:"+moduleNamespace, "system:authenticated")
	if err != nil {
		return err
	}
	logConfig := filepath.Join(i.dir, "log-config.yaml")
	if err := os.WriteFile(logConfig, []byte("{logFormat: json, logLevel: info}"), 0o644); err != nil {
		return err
	}
	// The last one of a flag holds.
	args := append(expand(container.Args, container.Env),
		"--log-config="+logConfig, "--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")
	i.controller, err = controlplane.StartProcess(ctx, controlplane.Program{
		Name: "function-controller", Path: filepath.Join(i.dir, "function-controller"), Args: args, Env: []string{"KUBECONFIG=" + kubeconfig},
	}, i.dir)
	if err != nil {
		return err
	}
	i.ends = append(i.ends, i.controller.Stop)
	return nil
}

var reference = regexp.MustCompile(`\$\((\w+)\)`)

// expand puts the environment's values for $(NAME), as the kubelet does.
func expand(args []string, env []corev1.EnvVar) []string {
	values := map[string]string{}
	for _, variable := range env {
		values[variable.Name] = variable.Value
	}
	expanded := make([]string, len(args))
	for i, arg := range args {
		expanded[i] = reference.ReplaceAllStringFunc(arg, func(match string) string { return values[match[2:len(match)-1]] })
	}
	return expanded
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
