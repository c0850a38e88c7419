package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/tests/endpoint"
)

// laboratory is a namespace with an edited Function, and with the floor: a
// plain Deployment of the same image whose environment is set.
type laboratory struct {
	client    client.Client
	namespace string
	// started makes each of this run's inputs one that was never seen before.
	started time.Time

	edited    *v1alpha2.Function
	editedURL string
	floor     *appsv1.Deployment
	floorURL  string
}

const (
	dependencies = `{"dependencies": {"lodash": "4.17.21"}}`
	// The floor answers with its environment, by the same code as the Function.
	echo    = "const _ = require('lodash'); module.exports = { main: () => _.identity(process.env.ANSWER ?? %q) };"
	timeout = 5 * time.Minute
)

func newLaboratory(ctx context.Context) (*laboratory, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w; run `make bench`", err)
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha2.AddToScheme(scheme); err != nil {
		return nil, err
	}
	lab := &laboratory{started: time.Now()}
	if lab.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	if err := lab.client.Create(ctx, namespace); err != nil {
		return nil, fmt.Errorf("create namespace: %w", err)
	}
	lab.namespace = namespace.Name
	if err := lab.setUp(ctx); err != nil {
		lab.close(context.WithoutCancel(ctx))
		return nil, err
	}
	return lab, nil
}

func (l *laboratory) setUp(ctx context.Context) error {
	if err := endpoint.ConfigurePackageRegistry(ctx, l.client, l.namespace); err != nil {
		return err
	}
	l.edited = l.function("edited", fmt.Sprintf(echo, "ready"), dependencies)
	if err := l.client.Create(ctx, l.edited); err != nil {
		return fmt.Errorf("create Function: %w", err)
	}
	var err error
	if l.editedURL, err = endpoint.Expose(ctx, l.client, client.ObjectKeyFromObject(l.edited)); err != nil {
		return err
	}
	if err := await(ctx, l.editedURL, "ready"); err != nil {
		return err
	}
	return l.startFloor(ctx)
}

// startFloor runs the Function's image, with the same Pod template, as a
// Deployment which nobody but the benchmark changes.
func (l *laboratory) startFloor(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	if err := l.client.List(ctx, &deployments, client.InNamespace(l.namespace)); err != nil || len(deployments.Items) != 1 {
		return fmt.Errorf("read the Function's Deployment: found %d: %w", len(deployments.Items), err)
	}
	labels := map[string]string{"app": "floor"}
	l.floor = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "floor"}}
	deployments.Items[0].Spec.DeepCopyInto(&l.floor.Spec)
	l.floor.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	l.floor.Spec.Template.Labels = labels
	setAnswer(l.floor, "floor")
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "floor"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: labels,
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
	for _, object := range []client.Object{l.floor, service} {
		if err := l.client.Create(ctx, object); err != nil {
			return fmt.Errorf("create floor: %w", err)
		}
	}
	l.floorURL = fmt.Sprintf("http://127.0.0.1:%d", service.Spec.Ports[0].NodePort)
	return await(ctx, l.floorURL, "floor")
}

func (l *laboratory) close(ctx context.Context) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}
	if err := l.client.Delete(ctx, namespace); err != nil {
		fmt.Fprintf(os.Stderr, "delete namespace %s: %v\n", l.namespace, err)
	}
}

func (l *laboratory) function(name, source, dependencies string) *v1alpha2.Function {
	return &v1alpha2.Function{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name},
		Spec: v1alpha2.FunctionSpec{
			Runtime: "nodejs22",
			Source:  v1alpha2.Source{Inline: &v1alpha2.InlineSource{Source: source, Dependencies: dependencies}},
			// The profiles of small clusters would measure their CPU limit.
			ResourceConfiguration: &v1alpha2.ResourceConfiguration{
				Function: &v1alpha2.ResourceRequirements{Profile: "M"}, Build: &v1alpha2.ResourceRequirements{Profile: "fast"},
			},
		},
	}
}

func setAnswer(deployment *appsv1.Deployment, answer string) {
	container := &deployment.Spec.Template.Spec.Containers[0]
	for i := range container.Env {
		if container.Env[i].Name == "ANSWER" {
			container.Env[i].Value = answer
			return
		}
	}
	container.Env = append(container.Env, corev1.EnvVar{Name: "ANSWER", Value: answer})
}

// await asks until the answer is the wanted one.
func await(ctx context.Context, url, wanted string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		answer, err := endpoint.Ask(ctx, url)
		if err == nil && answer == wanted {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await answer %q of %s: the last one was %q: %w", wanted, url, answer, err)
		case <-ticker.C:
		}
	}
}
