// Package forward offers what listens on the node on the host's 127.0.0.1.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Forwarder passes the connections of one port of 127.0.0.1 on.
type Forwarder struct {
	listener net.Listener
	target   netip.AddrPort
}

// Listen starts to pass the connections to a port of 127.0.0.1 on to target.
func Listen(port int, target netip.AddrPort) (*Forwarder, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("forward port %d: %w", port, err)
	}
	f := &Forwarder{listener: listener, target: target}
	go f.serve()
	return f, nil
}

// Close stops to listen; connections that are open stay.
func (f *Forwarder) Close() { f.listener.Close() }

func (f *Forwarder) serve() {
	for {
		connection, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors: let others close theirs
			continue
		}
		go f.pass(connection.(*net.TCPConn))
	}
}

// dialTimeout is ample for an address on this machine.
const dialTimeout = 5 * time.Second

func (f *Forwarder) pass(client *net.TCPConn) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", f.target.String())
	if err != nil {
		// A reset, and not an orderly end, is what a client of a closed port sees.
		_ = client.SetLinger(0)
		return
	}
	node := connection.(*net.TCPConn)
	defer node.Close()
	var both sync.WaitGroup
	both.Go(func() { oneWay(node, client) })
	both.Go(func() { oneWay(client, node) })
	both.Wait()
}

// oneWay copies until from is done and says so to the other side, which may
// well go on to send.
func oneWay(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.SetLinger(0)
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite()
}
