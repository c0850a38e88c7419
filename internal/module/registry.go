package module

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// k3dRegistryAddress is where the nodes of a k3d cluster find its registry.
const k3dRegistryAddress = "k3d-kyma-registry:5000"

// certificatesKey of a registry's Secret has the certificates of private authorities.
const certificatesKey = "ca.crt"

// doubleRegistryWarning is the warning of a spec that names a registry and
// asks for the internal one, too.
const doubleRegistryWarning = "spec.dockerRegistry.enableInternal is true and spec.dockerRegistry.secretName is used. " +
	"Delete the secretName field or set the enableInternal value to false"

// RegistryKind says whose registry keeps the images of Functions.
type RegistryKind int

const (
	// RegistryK3d is the registry of a k3d cluster, which is used when nothing else is asked for.
	RegistryK3d RegistryKind = iota
	// RegistryInternal is the module's own.
	RegistryInternal
	// RegistryExternal is one that the user describes in a Secret.
	RegistryExternal
)

// Registry is the registry that keeps the images of Functions.
type Registry struct {
	Internal bool
	// ServerAddress is the address for the login, RegistryAddress the first
	// part of the images' names. Both are empty for the internal registry.
	ServerAddress   string
	RegistryAddress string
	NodePort        int32
	Credentials     Credentials
	// Certificates are those of private authorities that an external registry's
	// may be signed by, in PEM.
	Certificates string
	// HTTPSecret signs the state of uploads to the internal registry.
	HTTPSecret string
}

// ChooseRegistry returns whose registry is asked for, and a warning if the
// spec contradicts itself.
func ChooseRegistry(spec v1alpha1.ServerlessSpec) (RegistryKind, string) {
	asked := spec.DockerRegistry
	if asked == nil {
		return RegistryK3d, ""
	}
	internal := asked.EnableInternal != nil && *asked.EnableInternal
	switch {
	case asked.SecretName != nil && internal:
		return RegistryExternal, doubleRegistryWarning
	case asked.SecretName != nil:
		return RegistryExternal, ""
	case internal:
		return RegistryInternal, ""
	default:
		return RegistryK3d, ""
	}
}

// ExternalRegistry returns the registry that a Secret of the user describes.
func ExternalRegistry(secret *corev1.Secret) (Registry, error) {
	registry := Registry{
		ServerAddress:   string(secret.Data["serverAddress"]),
		RegistryAddress: string(secret.Data["registryAddress"]),
		Credentials: Credentials{
			Username: string(secret.Data["username"]),
			Password: string(secret.Data["password"]),
		},
	}
	for _, key := range []string{"serverAddress", "registryAddress"} {
		if len(secret.Data[key]) == 0 {
			return Registry{}, fmt.Errorf("secrets %q has no %s: add the key with the registry's address", secret.Name, key)
		}
	}
	if certificates, found := secret.Data[certificatesKey]; found {
		if !x509.NewCertPool().AppendCertsFromPEM(certificates) {
			return Registry{}, fmt.Errorf("secrets %q has no certificate in PEM in %s: correct the key, or remove it", secret.Name, certificatesKey)
		}
		registry.Certificates = string(certificates)
	}
	return registry, nil
}

// K3dRegistry returns the registry of a k3d cluster. It checks no credentials,
// yet others may read them, so they are kept as they are.
func K3dRegistry(current *corev1.Secret) Registry {
	return Registry{
		ServerAddress:   k3dRegistryAddress,
		RegistryAddress: k3dRegistryAddress,
		Credentials:     keepCredentials(current, false),
	}
}

// InternalRegistry returns the module's own registry, with the credentials and
// the HTTP secret that it has already; nothing of it restarts for new ones.
func InternalRegistry(current *corev1.Secret, httpSecret string, nodePort int32) Registry {
	return Registry{
		Internal: true, NodePort: nodePort,
		Credentials: keepCredentials(current, true),
		HTTPSecret:  cmp.Or(httpSecret, rand.Text()),
	}
}

// HTTPSecret returns the HTTP secret of the registry that runs, or "". The
// original has it in its Deployment's environment (contract/functions.md 5).
func HTTPSecret(kept *corev1.Secret, running *appsv1.Deployment) string {
	if kept != nil && len(kept.Data["secret"]) > 0 {
		return string(kept.Data["secret"])
	}
	if running == nil {
		return ""
	}
	for _, container := range running.Spec.Template.Spec.Containers {
		for _, variable := range container.Env {
			if variable.Name == "REGISTRY_HTTP_SECRET" {
				return variable.Value
			}
		}
	}
	return ""
}

// keepCredentials returns the credentials in the Secret in use if it is ours
// and for the same registry, otherwise new ones.
func keepCredentials(current *corev1.Secret, internal bool) Credentials {
	if current != nil &&
		current.Labels[ConfigLabel] == ConfigCredentials &&
		string(current.Data["isInternal"]) == strconv.FormatBool(internal) &&
		(internal || string(current.Data["serverAddress"]) == k3dRegistryAddress) {
		kept := Credentials{Username: string(current.Data["username"]), Password: string(current.Data["password"])}
		if kept.Username != "" && kept.Password != "" {
			return kept
		}
	}
	return newCredentials()
}
