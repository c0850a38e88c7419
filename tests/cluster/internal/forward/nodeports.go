package forward

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// NodePorts keeps a forwarder for each node port of the cluster's Services.
type NodePorts struct {
	node       netip.Addr
	forwarders map[int]*Forwarder
}

// NewNodePorts has no forwarder yet.
func NewNodePorts(node netip.Addr) *NodePorts {
	return &NodePorts{node: node, forwarders: map[int]*Forwarder{}}
}

// Set makes the forwarders fit the Services and tells about each port. One that
// is taken, by another cluster for instance, is tried again at the next call.
func (n *NodePorts) Set(services []*corev1.Service) []status.NodePort {
	wanted := Wanted(services)
	for port, forwarder := range n.forwarders {
		if !slices.ContainsFunc(wanted, func(w status.NodePort) bool { return w.Port == port }) {
			forwarder.Close()
			delete(n.forwarders, port)
		}
	}
	for i := range wanted {
		port := wanted[i].Port
		if n.forwarders[port] != nil {
			continue
		}
		forwarder, err := Listen(port, netip.AddrPortFrom(n.node, uint16(port)))
		if err != nil {
			wanted[i].Problem = err.Error()
			continue
		}
		n.forwarders[port] = forwarder
	}
	return wanted
}

// Wanted lists the TCP node ports of Services, in order.
func Wanted(services []*corev1.Service) []status.NodePort {
	var wanted []status.NodePort
	for _, service := range services {
		for _, port := range service.Spec.Ports {
			if port.NodePort != 0 && port.Protocol == corev1.ProtocolTCP {
				wanted = append(wanted, status.NodePort{
					Port:    int(port.NodePort),
					Service: service.Namespace + "/" + service.Name,
				})
			}
		}
	}
	slices.SortFunc(wanted, func(a, b status.NodePort) int { return cmp.Compare(a.Port, b.Port) })
	return wanted
}
