package pki

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

func TestCertificateOfTheAPIServerCoversAllItsAddresses(t *testing.T) {
	p := writeAll(t)
	pair, err := tls.LoadX509KeyPair(p.Path("pki/apiserver.crt"), p.Path("pki/apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(p.Path("pki/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "10.89.7.2", "10.91.0.1", "localhost", "kubernetes.default.svc"} {
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKubeconfigIsForTheHost(t *testing.T) {
	p := writeAll(t)
	config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:16450" {
		t.Errorf("server is %s", config.Host)
	}
	if config.CAFile != "" || config.CertFile != "" || config.KeyFile != "" {
		t.Error("the kubeconfig needs other files, so it can't be copied")
	}
	if info, err := os.Stat(p.Kubeconfig()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions of the kubeconfig: %v, %v", info.Mode(), err)
	}
}

func writeAll(t *testing.T) *plan.Plan {
	t.Helper()
	p := &plan.Plan{
		Name: "local", Dir: t.TempDir(), Slot: 7, APIPort: 16450,
		Link: netip.MustParsePrefix("10.89.7.0/30"), Services: netip.MustParsePrefix("10.91.0.0/16"),
	}
	if err := WriteAll(p); err != nil {
		t.Fatal(err)
	}
	return p
}
