// Package node is the first process of the node's namespaces: it mounts what
// the node needs, starts the programs in order and reaps what they leave.
package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"kyma-project.io/serverless/tests/cluster/internal/component"
	"kyma-project.io/serverless/tests/cluster/internal/kube"
	"kyma-project.io/serverless/tests/cluster/internal/machine"
	"kyma-project.io/serverless/tests/cluster/internal/plan"
	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// startTimeout is for a machine that is busy with other things; an idle one
// takes a tenth.
const startTimeout = 4 * time.Minute

// Run starts the node, once the first byte of control says that its network
// interface is there, and ends with control. Events go to events, line by line.
func Run(ctx context.Context, p *plan.Plan, control io.Reader, events io.Writer) error {
	if _, err := io.ReadFull(control, make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the network: %w", err)
	}
	if err := setEnvironment(p); err != nil {
		return err
	}
	n := &node{plan: p, tell: teller(events)}
	n.processes = newProcesses(p, func(c status.Component) { n.tell(status.Event{Component: &c}) })
	go n.bringUp(ctx)
	_, err := io.Copy(io.Discard, control) // ends with the supervisor
	return err
}

// setEnvironment is the host's, for the sake of certificates and proxies, but for
// what the node's programs have to find or leave alone.
func setEnvironment(p *plan.Plan) error {
	return errors.Join(
		// Programs start each other by name: containerd its shim, kube-proxy iptables.
		os.Setenv("PATH", p.Binaries+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
		// The registry would send traces to a collector that isn't there.
		os.Setenv("OTEL_TRACES_EXPORTER", "none"),
	)
}

// teller writes events; a pipe takes lines of this size whole, so that several
// goroutines may tell at once.
func teller(events io.Writer) func(status.Event) {
	return func(e status.Event) {
		if line, err := json.Marshal(e); err == nil {
			_, _ = events.Write(append(line, '\n')) // fails if the supervisor ended, and all ends with it
		}
	}
}

type node struct {
	plan      *plan.Plan
	processes *processes
	tell      func(status.Event)
}

func (n *node) bringUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.start(ctx); err != nil {
		n.tell(status.Event{Error: err.Error()})
		return
	}
	n.tell(status.Event{Ready: true})
}

// start is the life of the node from nothing to ready.
func (n *node) start(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"namespaces, mounts and network", n.prepare},
		{"container runtime, registry and etcd", n.startFoundations},
		{"control plane", n.startControlPlane},
		{"node, DNS, metrics and storage started", n.startNode},
		{"node ready", n.waitNode},
		{"DNS answers", n.waitDNS},
		{"metrics API available", n.waitMetrics},
	} {
		n.tell(status.Event{Begin: step.name})
		if err := n.processes.whileRunning(ctx, step.do); err != nil {
			return fmt.Errorf("start %s: %w", step.name, err)
		}
		n.tell(status.Event{Finish: step.name})
	}
	return nil
}

func (n *node) prepare(context.Context) error {
	if err := mountAll(n.plan); err != nil {
		return err
	}
	if err := configureNetwork(n.plan); err != nil {
		return err
	}
	if err := os.MkdirAll(n.plan.Path("volumes"), 0o755); err != nil {
		return fmt.Errorf("make directory for volumes: %w", err)
	}
	return nil
}

func (n *node) startFoundations(ctx context.Context) error {
	for _, c := range append(component.Runtime(n.plan), component.Etcd(n.plan)) {
		if err := n.processes.start(c); err != nil {
			return err
		}
	}
	for _, address := range []string{
		"unix:///run/containerd/containerd.sock",
		net.JoinHostPort("127.0.0.1", strconv.Itoa(component.EtcdPort)),
		n.plan.Registry(),
	} {
		if err := waitListening(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) startControlPlane(ctx context.Context) error {
	if err := n.processes.start(component.APIServer(n.plan)); err != nil {
		return err
	}
	// Meanwhile: before the first pod needs it.
	if err := n.processes.run(ctx, component.ImportPause(n.plan)); err != nil {
		return err
	}
	client, err := n.client()
	if err != nil {
		return err
	}
	return client.WaitReady(ctx)
}

func (n *node) startNode(ctx context.Context) error {
	for _, c := range append(component.Node(n.plan), component.Controllers(n.plan)...) {
		if err := n.processes.start(c); err != nil {
			return err
		}
	}
	// Before the programs that it allows to read from the API: they would try
	// at once, and again only after a while.
	if err := n.processes.run(ctx, component.ApplyAddons(n.plan)); err != nil {
		return err
	}
	for _, c := range component.Services(n.plan) {
		if err := n.processes.start(c); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) waitNode(ctx context.Context) error {
	client, err := n.client()
	if err != nil {
		return err
	}
	if err := client.WaitCondition(ctx, "/api/v1/nodes/"+n.plan.Name, "Ready"); err != nil {
		return err
	}
	// Without it no pod can be made in the namespace.
	return client.WaitExists(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
}

// waitDNS asks through the Service, as pods do.
func (n *node) waitDNS(ctx context.Context) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, netip.AddrPortFrom(n.plan.DNSServiceIP(), 53).String())
	}}
	return poll(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second) // else one lost packet costs five
		defer cancel()
		_, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		return err
	})
}

func (n *node) waitMetrics(ctx context.Context) error {
	client, err := n.client()
	if err != nil {
		return err
	}
	return client.WaitCondition(ctx, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", "Available")
}

func (n *node) client() (*kube.Client, error) {
	return kube.NewClient(component.Kubeconfig(n.plan, "admin"))
}

func configureNetwork(p *plan.Plan) error {
	if err := machine.SetAddress("lo", netip.MustParsePrefix("127.0.0.1/8")); err != nil {
		return err
	}
	if err := machine.SetAddress(machine.NodeInterface, netip.PrefixFrom(p.NodeIP(), p.Link.Bits())); err != nil {
		return err
	}
	if err := machine.SetDefaultRoute(p.HostIP()); err != nil {
		return err
	}
	for _, sysctl := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile("/proc/sys/"+sysctl, []byte("1"), 0o644); err != nil {
			return fmt.Errorf("set sysctl: %w", err)
		}
	}
	return nil
}

// waitListening waits until something accepts connections at an address.
func waitListening(ctx context.Context, address string) error {
	network := "tcp"
	if socket, ok := strings.CutPrefix(address, "unix://"); ok {
		network, address = "unix", socket
	}
	return poll(ctx, func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			connection.Close()
		}
		return err
	})
}

// poll repeats check until it succeeds; the error says how it failed last.
func poll(ctx context.Context, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w (last: %v)", err, last)
	}
	return nil
}
