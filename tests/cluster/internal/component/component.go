// Package component describes the programs of the node: how each is started
// and the files it reads. It decides only; nothing is run or written here.
package component

import (
	"fmt"
	"strings"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// Component is a program of the node and its arguments.
type Component struct {
	Name string
	Args []string
}

// Ports of the programs on the node's address.
const (
	apiPort      = 6443
	EtcdPort     = 2379
	RegistryPort = 5000
	DNSReadyPort = 8181
)

// Runtime is what runs containers and holds images.
func Runtime(p *plan.Plan) []Component {
	return []Component{
		{"containerd", []string{"--config", p.Path("etc/containerd.toml")}},
		{"registry", []string{"serve", p.Path("etc/registry.yaml")}},
	}
}

// Etcd keeps the API server's objects. They are thrown away with the cluster,
// so nothing is gained from syncing each write to the disk.
func Etcd(p *plan.Plan) Component {
	url := fmt.Sprintf("http://127.0.0.1:%d", EtcdPort)
	return Component{"etcd", []string{
		"--name=" + p.Name,
		"--data-dir=" + p.Path("etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--unsafe-no-fsync",
		"--log-level=warn",
	}}
}

// APIServer has the admission plugins and limits it has by default.
func APIServer(p *plan.Plan) Component {
	pki := func(name string) string { return p.Path("pki", name) }
	return Component{"kube-apiserver", []string{
		"--advertise-address=" + p.NodeIP().String(),
		fmt.Sprintf("--secure-port=%d", apiPort),
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", EtcdPort),
		"--service-cluster-ip-range=" + p.Services.String(),
		"--authorization-mode=Node,RBAC",
		"--client-ca-file=" + pki("ca.crt"),
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--kubelet-client-certificate=" + pki("kubelet-client.crt"),
		"--kubelet-client-key=" + pki("kubelet-client.key"),
		// Without it logs and exec would have to resolve the node's name.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("service-accounts.pub"),
		"--service-account-signing-key-file=" + pki("service-accounts.key"),
		"--proxy-client-cert-file=" + pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + pki("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
	}}
}

// Controllers make the cluster of the API server; there is one of each, which
// has to win no election.
func Controllers(p *plan.Plan) []Component {
	manager := Kubeconfig(p, "kube-controller-manager")
	scheduler := Kubeconfig(p, "kube-scheduler")
	return []Component{
		{"kube-controller-manager", []string{
			"--kubeconfig=" + manager,
			"--authentication-kubeconfig=" + manager,
			"--authorization-kubeconfig=" + manager,
			"--leader-elect=false",
			"--use-service-account-credentials",
			"--service-account-private-key-file=" + p.Path("pki/service-accounts.key"),
			"--root-ca-file=" + p.Path("pki/ca.crt"),
			"--client-ca-file=" + p.Path("pki/ca.crt"),
			"--requestheader-client-ca-file=" + p.Path("pki/front-proxy-ca.crt"),
			"--cluster-signing-cert-file=" + p.Path("pki/ca.crt"),
			"--cluster-signing-key-file=" + p.Path("pki/ca.key"),
			"--cluster-cidr=" + p.Pods.String(),
			"--service-cluster-ip-range=" + p.Services.String(),
			"--allocate-node-cidrs",
			fmt.Sprintf("--node-cidr-mask-size=%d", p.Pods.Bits()), // all of it: there is one node
			// By default it takes five minutes without load to scale down.
			"--horizontal-pod-autoscaler-downscale-stabilization=30s",
			"--horizontal-pod-autoscaler-sync-period=5s",
		}},
		{"kube-scheduler", []string{
			"--kubeconfig=" + scheduler,
			"--authentication-kubeconfig=" + scheduler,
			"--authorization-kubeconfig=" + scheduler,
			"--leader-elect=false",
		}},
	}
}

// Node is what makes the machine a node.
func Node(p *plan.Plan) []Component {
	return []Component{
		{"kubelet", []string{
			"--config=" + p.Path("etc/kubelet.yaml"),
			"--kubeconfig=" + Kubeconfig(p, "kubelet"),
			"--hostname-override=" + p.Name,
			"--node-ip=" + p.NodeIP().String(),
		}},
		{"kube-proxy", []string{"--config=" + p.Path("etc/kube-proxy.yaml"), "--hostname-override=" + p.Name}},
	}
}

// Services are what a cluster offers to its pods beyond the API. They run on
// the node and not in pods: there is nothing to pull, and they start at once.
func Services(p *plan.Plan) []Component {
	metrics := Kubeconfig(p, "metrics-server")
	return []Component{
		{"coredns", []string{"-conf", p.Path("etc/Corefile")}},
		{"metrics-server", []string{
			"--kubeconfig=" + metrics,
			"--authentication-kubeconfig=" + metrics,
			"--authorization-kubeconfig=" + metrics,
			// Told, and not looked up in the API, where it may not read yet when
			// it starts.
			"--authentication-skip-lookup",
			"--client-ca-file=" + p.Path("pki/ca.crt"),
			"--requestheader-client-ca-file=" + p.Path("pki/front-proxy-ca.crt"),
			"--requestheader-allowed-names=front-proxy-client",
			"--bind-address=" + p.NodeIP().String(),
			"--secure-port=4443",
			"--cert-dir=" + p.Path("pki"),
			"--kubelet-insecure-tls", // kubelets sign their serving certificates themselves
			"--kubelet-preferred-address-types=InternalIP",
			"--metric-resolution=10s", // the least it takes, and more than the next
			"--kubelet-request-timeout=5s",
		}},
		{"local-path-provisioner", []string{
			"--kubeconfig=" + Kubeconfig(p, "local-path-provisioner"),
			"--dir=" + p.Path("volumes"),
			"--node=" + p.Name,
		}},
	}
}

// Kubeconfig is the path of a program's kubeconfig.
func Kubeconfig(p *plan.Plan, program string) string {
	return p.Path("etc", program+".kubeconfig")
}

// ImportPause loads the sandboxes' image into containerd.
func ImportPause(p *plan.Plan) Component {
	return Component{"ctr", []string{"--namespace=k8s.io", "images", "import", p.PauseImage}}
}

// ApplyAddons creates the addons' objects.
func ApplyAddons(p *plan.Plan) Component {
	return Component{"kubectl", strings.Fields("apply --server-side --kubeconfig=" + Kubeconfig(p, "admin") + " --filename=" + p.Path("etc/addons.yaml"))}
}
