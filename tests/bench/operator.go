package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	operatorv1alpha1 "kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/tests/controlplane"
)

const (
	// operatorUser is who the operator is in a cluster, with the rights that its manifest gives it.
	operatorUser = "system:serviceaccount:kyma-system:serverless-operator"
	operatorRole = "serverless-operator-role"
	// foreignSecrets and foreignSecretSize are of a cluster that is used for
	// other things, too.
	foreignSecrets    = 2000
	foreignSecretSize = 10 << 10
)

// measureOperator leaves the operator alone with an installed module, and
// returns the rows that are wanted. The nodes are played.
func measureOperator(ctx context.Context, options options) (table []measurement, err error) {
	log.SetLogger(logr.Discard())
	plane, err := startPlane(ctx, options.tools, operatorUser)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), operatorv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(plane.Admin, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	if err := prepareForOperator(ctx, c); err != nil {
		return nil, err
	}
	operator, err := startOperator(ctx, plane)
	if err != nil {
		return nil, err
	}
	defer operator.Stop()
	if err := installModule(ctx, c, operator); err != nil {
		return nil, err
	}
	note("the module is ready; the operator is left alone for %s", settle+resting)
	rest, err := measureRest(ctx, plane, operator)
	if err != nil {
		return nil, err
	}
	return rest.rows(options, "operator_rest_memory", "< 60", "operator_rest_writes"), nil
}

// prepareForOperator makes what is in a cluster before the operator comes, and
// what comes with it, except its Deployment.
func prepareForOperator(ctx context.Context, c client.Client) error {
	for _, namespace := range []string{moduleNamespace, "foreign"} {
		if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
	}
	content := bytes.Repeat([]byte("x"), foreignSecretSize)
	for i := range foreignSecrets {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "foreign", Name: fmt.Sprintf("secret-%d", i)},
			Data:       map[string][]byte{"content": content},
		}
		if err := c.Create(ctx, secret); err != nil {
			return fmt.Errorf("create Secret: %w", err)
		}
	}
	for _, path := range []string{
		"config/crd/bases/operator.kyma-project.io_serverlesses.yaml", "config/rbac/role.yaml",
	} {
		if err := createFrom(ctx, c, path); err != nil {
			return err
		}
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: operatorRole},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: operatorRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}},
	}
	if err := c.Create(ctx, binding); err != nil {
		return fmt.Errorf("bind role %s: %w", operatorRole, err)
	}
	return nil
}

// createFrom creates the objects of a file.
func createFrom(ctx context.Context, c client.Client, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if len(object.Object) == 0 {
			continue
		}
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("create %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

func startOperator(ctx context.Context, plane *controlplane.ControlPlane) (*controlplane.Process, error) {
	dir, err := filepath.Abs(planeDir)
	if err != nil {
		return nil, err
	}
	if err := buildPrograms(ctx, dir, "operator"); err != nil {
		return nil, err
	}
	kubeconfig, err := plane.Kubeconfig(operatorUser, "system:serviceaccounts", "system:serviceaccounts:"+moduleNamespace, "system:authenticated")
	if err != nil {
		return nil, err
	}
	env := []string{"KUBECONFIG=" + kubeconfig}
	for _, image := range []string{"CONTROLLER", "BUILDER", "REGISTRY", "WEBHOOK", "RUNTIME_NODEJS22", "RUNTIME_NODEJS24"} {
		env = append(env, "IMAGE_FUNCTION_"+image+"=registry.test/"+strings.ToLower(image)+":1")
	}
	return controlplane.StartProcess(ctx, controlplane.Program{
		Name: "operator", Path: filepath.Join(dir, "operator"), Env: env,
		Args: []string{"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"},
	}, dir)
}

// installModule asks for the module, and waits until it is ready.
func installModule(ctx context.Context, c client.Client, operator *controlplane.Process) error {
	serverless := &operatorv1alpha1.Serverless{
		ObjectMeta: metav1.ObjectMeta{Namespace: moduleNamespace, Name: "default"},
	}
	if err := c.Create(ctx, serverless); err != nil {
		return fmt.Errorf("create Serverless resource: %w", err)
	}
	deadline := time.Now().Add(3 * time.Minute)
	for serverless.Status.State != operatorv1alpha1.StateReady {
		if err := operator.Err(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for the module: its state is %q: %v", serverless.Status.State, serverless.Status.Conditions)
		}
		if err := leaveAlone(ctx, operator, time.Second); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(serverless), serverless); err != nil {
			return fmt.Errorf("get Serverless resource: %w", err)
		}
	}
	return nil
}
