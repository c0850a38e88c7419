package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// NodeInterface is the node's end of the link.
const NodeInterface = "eth0"

// Connect makes the link between the host and the network namespace of process
// pid, and lets the node reach what the host reaches.
func Connect(ctx context.Context, p *plan.Plan, pid int) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = p.HostInterface()
	attributes.MTU = UplinkMTU()
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: NodeInterface, PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make interface %s: %w", attributes.Name, err)
	}
	if err := SetAddress(p.HostInterface(), netip.PrefixFrom(p.HostIP(), p.Link.Bits())); err != nil {
		return err
	}
	for _, rule := range rules(p) {
		if err := iptables(ctx, rule.insert()); err != nil {
			return err
		}
	}
	return nil
}

// UplinkMTU is the size in bytes of packets that the host's default route takes;
// a link with larger ones would lose what goes out.
func UplinkMTU() int {
	const usual = 1500
	routes, err := netlink.RouteGet(net.IPv4(8, 8, 8, 8))
	if err != nil || len(routes) == 0 {
		return usual
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil || link.Attrs().MTU == 0 {
		return usual
	}
	return min(link.Attrs().MTU, usual)
}

// SetAddress gives an interface its address and brings it up.
func SetAddress(name string, address netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ip}); err != nil {
		return fmt.Errorf("set address of %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// disconnect undoes Connect, as much of it as there is.
func disconnect(ctx context.Context, p *plan.Plan) error {
	var errs []error
	if link, err := netlink.LinkByName(p.HostInterface()); err == nil {
		if err := netlink.LinkDel(link); err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
			errs = append(errs, fmt.Errorf("remove interface %s: %w", p.HostInterface(), err))
		}
	}
	if _, err := exec.LookPath("iptables"); err != nil {
		return errors.Join(errs...) // then no rule was ever made
	}
	for _, rule := range rules(p) {
		for iptables(ctx, rule.check()) == nil {
			if err := iptables(ctx, rule.remove()); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	return errors.Join(errs...)
}

// rule is one of the host's packet rules, marked with the cluster's name.
type rule struct {
	table, chain string
	match        []string
}

// rules let the node out: behind the host's address, and past a firewall that
// forwards nothing by itself, as Docker sets one up.
func rules(p *plan.Plan) []rule {
	mark := []string{"-m", "comment", "--comment", p.Mark()}
	name := p.HostInterface()
	return []rule{
		{"nat", "POSTROUTING", append([]string{"-s", p.Link.String(), "!", "-o", name, "-j", "MASQUERADE"}, mark...)},
		{"filter", "FORWARD", append([]string{"-i", name, "-j", "ACCEPT"}, mark...)},
		{"filter", "FORWARD", append([]string{"-o", name, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"}, mark...)},
	}
}

func (r rule) insert() []string { return r.command("-I") }
func (r rule) check() []string  { return r.command("-C") }
func (r rule) remove() []string { return r.command("-D") }

func (r rule) command(action string) []string {
	return append([]string{"-w", "-t", r.table, action, r.chain}, r.match...)
}

func iptables(ctx context.Context, args []string) error {
	if out, err := exec.CommandContext(ctx, "iptables", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("run iptables %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// Occupied lists the networks that a cluster must not use: those the host has
// routes to, and the addresses of its nameservers.
func Occupied(nameservers []string) ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var occupied []netip.Prefix
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		address, ok := netip.AddrFromSlice(route.Dst.IP.To4())
		if bits, _ := route.Dst.Mask.Size(); ok && bits > 0 { // none: the default route
			occupied = append(occupied, netip.PrefixFrom(address, bits))
		}
	}
	for _, server := range nameservers {
		if address, err := netip.ParseAddr(server); err == nil && address.Is4() {
			occupied = append(occupied, netip.PrefixFrom(address, 32))
		}
	}
	return occupied, nil
}

// SetDefaultRoute sends what is not local through gateway.
func SetDefaultRoute(gateway netip.Addr) error {
	if err := netlink.RouteReplace(&netlink.Route{Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("set default route: %w", err)
	}
	return nil
}
