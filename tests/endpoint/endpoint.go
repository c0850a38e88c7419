// Package endpoint makes Functions of a local cluster answer on this machine:
// it exposes them on 127.0.0.1, and lets their builds reach the package
// registries that this machine uses.
package endpoint

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// PackageRegistrySecret is the name of the Secret that configures package registries.
const PackageRegistrySecret = "serverless-package-registry-config"

// Expose gives the Function a NodePort, and returns the URL on 127.0.0.1.
func Expose(ctx context.Context, c client.Client, function client.ObjectKey) (string, error) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: function.Namespace, Name: function.Name + "-nodeport"}}
	_, err := controllerutil.CreateOrUpdate(ctx, c, service, func() error {
		service.Spec.Type = corev1.ServiceTypeNodePort
		service.Spec.Selector = map[string]string{
			v1alpha2.LabelFunctionName: function.Name, v1alpha2.LabelResource: v1alpha2.ResourceDeployment,
		}
		if len(service.Spec.Ports) == 0 {
			service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("expose Function %s: %w", function, err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", service.Spec.Ports[0].NodePort), nil
}

// ConfigurePackageRegistry makes builds of the namespace use the npm registry
// and the CA certificates that npm on this machine uses, so that a machine
// behind a mirror or a proxy works, too.
func ConfigurePackageRegistry(ctx context.Context, c client.Client, namespace string) error {
	registry, err := npmConfig(ctx, "registry")
	if err != nil {
		return err
	}
	data := map[string][]byte{".npmrc": []byte("registry=" + registry + "\n")}
	certificates := os.Getenv("NODE_EXTRA_CA_CERTS")
	if certificates == "" {
		if certificates, err = npmConfig(ctx, "cafile"); err != nil {
			return err
		}
	}
	if certificates != "" && certificates != "null" {
		if data["ca.crt"], err = os.ReadFile(certificates); err != nil {
			return fmt.Errorf("read CA certificates of npm: %w", err)
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PackageRegistrySecret}}
	if _, err := controllerutil.CreateOrUpdate(ctx, c, secret, func() error { secret.Data = data; return nil }); err != nil {
		return fmt.Errorf("configure package registry of namespace %s: %w", namespace, err)
	}
	return nil
}

func npmConfig(ctx context.Context, key string) (string, error) {
	output, err := exec.CommandContext(ctx, "npm", "config", "get", key).Output()
	if err != nil {
		return "", fmt.Errorf("npm config get %s: %w; is npm installed?", key, err)
	}
	return strings.TrimSpace(string(output)), nil
}
