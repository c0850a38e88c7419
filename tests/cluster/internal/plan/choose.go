package plan

import (
	"fmt"
	"hash/fnv"
	"net/netip"
)

// slots is how many clusters fit side by side: the third byte of the link.
const slots = 250

// families are the networks to choose from. They are private ones (RFC 1918),
// for which registry clients use plain HTTP. Only links have to differ between
// clusters: pods and Services are seen in the node's own network namespace only.
var families = []struct{ links, pods, services string }{
	{"10.89.0.0/16", "10.90.0.0/16", "10.91.0.0/16"},
	{"10.189.0.0/16", "10.190.0.0/16", "10.191.0.0/16"},
	{"172.29.0.0/16", "172.30.0.0/16", "172.31.0.0/16"},
}

// Choose sets the plan's slot and networks: those that its name leads to, or
// the next that collide neither with the slots of other clusters nor with a
// network that the host has a route or a nameserver in.
func (p *Plan) Choose(taken map[int]bool, occupied []netip.Prefix) error {
	hash := fnv.New32a()
	hash.Write([]byte(p.Name))
	first := int(hash.Sum32() % slots)
	for _, family := range families {
		pods, services := netip.MustParsePrefix(family.pods), netip.MustParsePrefix(family.services)
		if overlaps(occupied, pods) || overlaps(occupied, services) {
			continue
		}
		for i := range slots {
			slot := 1 + (first+i)%slots
			link := linkOf(family.links, slot)
			if taken[slot] || overlaps(occupied, link) {
				continue
			}
			p.Slot, p.Link, p.Pods, p.Services = slot, link, pods, services
			return nil
		}
	}
	return fmt.Errorf("choose networks for cluster %s: the host has routes into 10.89-91, 10.189-191 and 172.29-31 (see `ip route`), or %d clusters run: stop one with `cluster down --name NAME`", p.Name, slots)
}

func linkOf(links string, slot int) netip.Prefix {
	a := netip.MustParsePrefix(links).Addr().As4()
	a[2] = byte(slot)
	return netip.PrefixFrom(netip.AddrFrom4(a), 30)
}

func overlaps(prefixes []netip.Prefix, with netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Overlaps(with) {
			return true
		}
	}
	return false
}

// PortsToTry lists ports for the API server, the preferred first.
func (p *Plan) PortsToTry() []int {
	const tries = 20
	ports := make([]int, 0, tries+1)
	if p.APIPort != 0 {
		ports = append(ports, p.APIPort)
	}
	for i := range tries {
		ports = append(ports, 16443+(p.Slot-1+i)%slots)
	}
	return ports
}
