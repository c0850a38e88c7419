package forward

import (
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConnectionsArePassedOnBothWays(t *testing.T) {
	target := listenOnLoopback(t)
	go func() {
		connection, err := target.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		question, _ := io.ReadAll(connection) // to its end: half a close gets through
		_, _ = connection.Write(append([]byte("answer to "), question...))
	}()
	port := freePort(t)
	f, err := Listen(port, netip.MustParseAddrPort(target.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	client, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(client); err != nil || string(answer) != "answer to question" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestNodePortsFollowTheServices(t *testing.T) {
	first, second := freePort(t), freePort(t)
	ports := NewNodePorts(netip.MustParseAddr("127.0.0.1"))

	offered := ports.Set([]*corev1.Service{service("a", first), service("b", second)})
	if len(offered) != 2 || offered[0].Problem != "" || offered[1].Problem != "" {
		t.Fatalf("offered %+v", offered)
	}
	ports.Set([]*corev1.Service{service("b", second)})
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first)))
	if err != nil {
		t.Fatalf("the port of a Service that is gone is still taken: %v", err)
	}

	offered = ports.Set([]*corev1.Service{service("a", first)})
	if len(offered) != 1 || !strings.Contains(offered[0].Problem, "in use") {
		t.Fatalf("a port that another process has: %+v", offered)
	}
	listener.Close()
	if offered = ports.Set([]*corev1.Service{service("a", first)}); offered[0].Problem != "" {
		t.Errorf("the port is free again: %+v", offered)
	}
	ports.Set(nil)
}

func service(name string, nodePort int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
			{Protocol: corev1.ProtocolTCP, NodePort: int32(nodePort)},
			{Protocol: corev1.ProtocolUDP, NodePort: int32(nodePort)}, // not offered
			{Protocol: corev1.ProtocolTCP},                            // no node port
		}},
	}
}

func listenOnLoopback(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func freePort(t *testing.T) int {
	t.Helper()
	listener := listenOnLoopback(t)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
