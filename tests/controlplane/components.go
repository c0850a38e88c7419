package controlplane

import (
	_ "embed"
	"path/filepath"
)

// stages are what kwok makes of nodes and Pods.
//
//go:embed stages.yaml
var stages []byte

// components are the programs that make a cluster of the API server.
//
// Their clients are not slowed down, other than by default: at 20 and 50
// requests a second the controllers' own patience would be all that is
// measured, and anything beside them would look fast.
func components(config Config, kubeconfig, stages string) []Program {
	unlimited := []string{"--kube-api-qps=5000", "--kube-api-burst=5000", "--leader-elect=false", "--kubeconfig=" + kubeconfig}
	return []Program{
		{
			Name: "kube-controller-manager", Path: filepath.Join(config.Assets, "kube-controller-manager"),
			Args: append([]string{"--secure-port=0"}, unlimited...),
		},
		{
			Name: "kube-scheduler", Path: filepath.Join(config.Assets, "kube-scheduler"),
			Args: append([]string{"--secure-port=0"}, unlimited...),
		},
		{
			Name: "kwok", Path: config.Kwok,
			Args: []string{"--kubeconfig=" + kubeconfig, "--config=" + stages, "--manage-all-nodes", "--cidr=10.64.0.0/12", "--node-lease-duration-seconds=40", "-v=WARN"},
		},
	}
}
