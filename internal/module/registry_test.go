package module_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kyma-project.io/serverless/api/operator/v1alpha1"
	"kyma-project.io/serverless/internal/module"
)

func TestChooseRegistry(t *testing.T) {
	secret := "my-registry"
	for _, test := range []struct {
		name   string
		spec   *v1alpha1.DockerRegistry
		want   module.RegistryKind
		warned bool
	}{
		{"nothing asked for", nil, module.RegistryK3d, false},
		{"internal", &v1alpha1.DockerRegistry{EnableInternal: new(true)}, module.RegistryInternal, false},
		{"internal switched off", &v1alpha1.DockerRegistry{EnableInternal: new(false)}, module.RegistryK3d, false},
		{"external", &v1alpha1.DockerRegistry{SecretName: &secret}, module.RegistryExternal, false},
		{"both", &v1alpha1.DockerRegistry{EnableInternal: new(true), SecretName: &secret}, module.RegistryExternal, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			kind, warning := module.ChooseRegistry(v1alpha1.ServerlessSpec{DockerRegistry: test.spec})
			if kind != test.want || (warning != "") != test.warned {
				t.Errorf("chose %v with warning %q, want %v", kind, warning, test.want)
			}
		})
	}
}

func TestCredentialsAreKeptForTheSameRegistry(t *testing.T) {
	ours := func(internal, address string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{module.ConfigLabel: module.ConfigCredentials}},
			Data: map[string][]byte{
				"username": []byte("u"), "password": []byte("p"), "isInternal": []byte(internal), "serverAddress": []byte(address),
			},
		}
	}
	unlabelled := ours("true", "")
	unlabelled.Labels = nil
	for _, test := range []struct {
		name     string
		current  *corev1.Secret
		internal bool
		kept     bool
	}{
		{"none yet", nil, true, false},
		{"internal before", ours("true", ""), true, true},
		{"k3d before", ours("false", "k3d-kyma-registry:5000"), false, true},
		{"from internal to k3d", ours("true", ""), false, false},
		{"from k3d to internal", ours("false", "k3d-kyma-registry:5000"), true, false},
		{"from external to k3d", ours("false", "server.test"), false, false},
		{"not our Secret", unlabelled, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := module.K3dRegistry(test.current)
			if test.internal {
				registry = module.InternalRegistry(test.current, "", 32137)
			}
			if kept := registry.Credentials == (module.Credentials{Username: "u", Password: "p"}); kept != test.kept {
				t.Errorf("kept: %v, want %v", kept, test.kept)
			}
			if registry.Credentials.Username == "" || registry.Credentials.Password == "" {
				t.Error("credentials are empty")
			}
		})
	}
}

func TestHTTPSecretIsTheOneInUse(t *testing.T) {
	kept := &corev1.Secret{Data: map[string][]byte{"secret": []byte("ours")}}
	running := &appsv1.Deployment{}
	running.Spec.Template.Spec.Containers = []corev1.Container{{Env: []corev1.EnvVar{
		{Name: "REGISTRY_AUTH", Value: "htpasswd"}, {Name: "REGISTRY_HTTP_SECRET", Value: "former"},
	}}}
	for name, test := range map[string]struct {
		kept    *corev1.Secret
		running *appsv1.Deployment
		want    string
	}{
		"nothing there":                {nil, nil, ""},
		"ours":                         {kept, running, "ours"},
		"the original's":               {nil, running, "former"},
		"the original's, ours empty":   {&corev1.Secret{}, running, "former"},
		"a Deployment without the one": {nil, &appsv1.Deployment{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := module.HTTPSecret(test.kept, test.running); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if module.InternalRegistry(nil, "", 1).HTTPSecret == "" {
		t.Error("none is made where there is none")
	}
}

func TestExternalRegistryNamesWhatIsMissing(t *testing.T) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "r"},
		Data:       map[string][]byte{"serverAddress": []byte("server.test")},
	}
	_, err := module.ExternalRegistry(secret)
	want := `secrets "r" has no registryAddress: add the key with the registry's address`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestExternalRegistryTakesCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "r"},
		Data: map[string][]byte{
			"serverAddress": []byte("server.test"), "registryAddress": []byte("server.test/team"), "ca.crt": authority,
		},
	}
	registry, err := module.ExternalRegistry(secret)
	if err != nil || registry.Certificates != string(authority) {
		t.Errorf("%q, %v", registry.Certificates, err)
	}
	secret.Data["ca.crt"] = []byte("in DER")
	_, err = module.ExternalRegistry(secret)
	want := `secrets "r" has no certificate in PEM in ca.crt: correct the key, or remove it`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestNodePort(t *testing.T) {
	service := func(name string, port int32) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Name: name, NodePort: port}},
		}}
	}
	t.Run("kept", func(t *testing.T) {
		for current, want := range map[*corev1.Service]int32{
			service("http-registry", 31000): 31000,
			service("old", 32137):           32137,
			service("other", 31000):         0,
			{}:                              0,
			nil:                             0,
		} {
			if got, found := module.CurrentNodePort(current); got != want || found != (want != 0) {
				t.Errorf("current port %d, %v, want %d", got, found, want)
			}
		}
	})
	t.Run("free", func(t *testing.T) {
		draw := func(int32) int32 { return 7 }
		for _, test := range []struct {
			taken []corev1.Service
			want  int32
		}{
			{nil, 32137},
			{[]corev1.Service{*service("a", 32137)}, 30007},
			{[]corev1.Service{*service("a", 32137), *service("b", 30007)}, 0},
		} {
			got, err := module.FreeNodePort(test.taken, draw)
			if got != test.want || (err != nil) != (test.want == 0) {
				t.Errorf("free port %d, %v, want %d", got, err, test.want)
			}
		}
	})
}
