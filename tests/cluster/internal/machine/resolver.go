package machine

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Nameservers are the servers that the host resolves names with, of those that
// can be reached from another network namespace: not the ones on its loopback.
func Nameservers() ([]string, error) {
	// The second holds what systemd-resolved's server on the loopback asks.
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		servers, err := readNameservers(path)
		if err != nil {
			continue // the other one may do
		}
		if len(servers) > 0 {
			return servers, nil
		}
	}
	return nil, errors.New("find nameservers: /etc/resolv.conf names none that a node can reach (one on the loopback does not count): add a line `nameserver ADDRESS` to it")
}

func readNameservers(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	var servers []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil && !address.IsLoopback() && address.Is4() {
			servers = append(servers, fields[1])
		}
	}
	return servers, lines.Err()
}
