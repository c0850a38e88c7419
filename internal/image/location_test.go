package image_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/internal/image"
)

func TestRegistryIsFoundByItsSecret(t *testing.T) {
	for name, test := range map[string]struct {
		data map[string]string
		want image.Location
	}{
		"the module's own": {
			map[string]string{
				"isInternal": "true", "username": "u", "password": "p", "registryAddress": "elsewhere.example.com",
				"pushRegAddr": "serverless-docker-registry.kyma-system.svc.cluster.local:5000", "pullRegAddr": "localhost:32137",
			},
			image.Location{
				Push: "serverless-docker-registry.kyma-system.svc.cluster.local:5000", Pull: "localhost:32137",
				Username: "u", Password: "p", PlainHTTP: true, Internal: true,
			},
		},
		"one on the internet, with a path": {
			map[string]string{"isInternal": "false", "username": "u", "password": "p/", "registryAddress": "registry.example.com/team/"},
			image.Location{Push: "registry.example.com/team", Pull: "registry.example.com/team", Username: "u", Password: "p/"},
		},
		"k3d's, of a bare host name": {
			map[string]string{"isInternal": "false", "registryAddress": "k3d-kyma-registry:5000"},
			image.Location{Push: "k3d-kyma-registry:5000", Pull: "k3d-kyma-registry:5000", PlainHTTP: true},
		},
		"of a user at Docker Hub": {
			map[string]string{"serverAddress": "https://index.docker.io/v1/", "registryAddress": "jane", "username": "jane", "password": "p"},
			image.Location{Push: "jane", Pull: "jane", Username: "jane", Password: "p"},
		},
		"of an organization at Docker Hub": {
			map[string]string{"registryAddress": "docker.io/shop"},
			image.Location{Push: "docker.io/shop", Pull: "docker.io/shop"},
		},
		"on this machine": {
			map[string]string{"registryAddress": "localhost"},
			image.Location{Push: "localhost", Pull: "localhost", PlainHTTP: true},
		},
		"of a bare host name, with certificates": {
			map[string]string{"registryAddress": "registry:5000", "ca.crt": "-----BEGIN"},
			image.Location{Push: "registry:5000", Pull: "registry:5000", Certificates: "-----BEGIN"},
		},
		"a dot in the path makes no domain": {
			map[string]string{"registryAddress": "registry:5000/a.b"},
			image.Location{Push: "registry:5000/a.b", Pull: "registry:5000/a.b", PlainHTTP: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := image.LocationFromSecret(secret(test.data))
			if err != nil || got != test.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func TestSecretWithoutAnAddressSaysWhatToSet(t *testing.T) {
	for name, data := range map[string]map[string]string{
		"empty":                           nil,
		"internal without push address":   {"isInternal": "true", "pullRegAddr": "localhost:32137"},
		"internal without pull address":   {"isInternal": "true", "pushRegAddr": "registry:5000"},
		"external with those of internal": {"isInternal": "false", "pushRegAddr": "a", "pullRegAddr": "b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := image.LocationFromSecret(secret(data))
			if err == nil || !strings.Contains(err.Error(), "Secret shop/registry") || !strings.Contains(err.Error(), "set registryAddress") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKeyTellsPartsApart(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"a", "1 bc"}, {"a 2 bc"}, {}} {
		key := image.Key(parts...)
		if other, found := seen[key]; found {
			t.Errorf("%q and %q have one key", other, parts)
		}
		seen[key] = parts
	}
}

func secret(data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "registry"}, Data: map[string][]byte{}}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}
