package pki

import (
	"fmt"
	"net"
	"os"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// users are the programs that talk to the API server, each with its own
// kubeconfig in etc/NAME.kubeconfig.
func users(p *plan.Plan) map[string]Subject {
	return map[string]Subject{
		"admin":                   {User: "kubernetes-admin", Groups: []string{"system:masters"}},
		"kubelet":                 {User: "system:node:" + p.Name, Groups: []string{"system:nodes"}},
		"kube-controller-manager": {User: "system:kube-controller-manager"},
		"kube-scheduler":          {User: "system:kube-scheduler"},
		"kube-proxy":              {User: "system:kube-proxy"},
		"coredns":                 {User: "system:coredns"},
		"metrics-server":          {User: "system:metrics-server"},
		"local-path-provisioner":  {User: "system:local-path-provisioner"},
	}
}

// WriteAll makes every certificate and kubeconfig of the cluster.
func WriteAll(p *plan.Plan) error {
	dir := p.Path("pki")
	for _, d := range []string{dir, p.Path("etc")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make directory for certificates: %w", err)
		}
	}
	authority, err := NewAuthority(dir, "ca")
	if err != nil {
		return err
	}
	if err := writeServers(p, dir, authority); err != nil {
		return err
	}
	if err := WriteKeyPair(dir, "service-accounts"); err != nil {
		return err
	}
	onNode := fmt.Sprintf("https://%s:6443", p.NodeIP())
	for name, subject := range users(p) {
		if err := authority.WriteKubeconfig(p.Path("etc", name+".kubeconfig"), p.Name, onNode, subject); err != nil {
			return err
		}
	}
	onHost := fmt.Sprintf("https://127.0.0.1:%d", p.APIPort)
	return authority.WriteKubeconfig(p.Kubeconfig(), p.Name, onHost, users(p)["admin"])
}

func writeServers(p *plan.Plan, dir string, authority *Authority) error {
	frontProxy, err := NewAuthority(dir, "front-proxy-ca")
	if err != nil {
		return err
	}
	if err := frontProxy.IssueTo(dir, "front-proxy-client", Subject{User: "front-proxy-client"}); err != nil {
		return err
	}
	// The API server's own identity towards kubelets.
	if err := authority.IssueTo(dir, "kubelet-client", Subject{User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}}); err != nil {
		return err
	}
	return authority.IssueTo(dir, "apiserver", Subject{
		User:  "kube-apiserver",
		Names: []string{"localhost", p.Name, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPs:   []net.IP{net.IPv4(127, 0, 0, 1), p.NodeIP().AsSlice(), p.APIServiceIP().AsSlice()},
	})
}
