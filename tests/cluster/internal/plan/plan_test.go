package plan

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClusterKeepsItsNetworksAtEachStart(t *testing.T) {
	a, b := Plan{Name: "local"}, Plan{Name: "local"}
	for _, p := range []*Plan{&a, &b} {
		if err := p.Choose(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if a.Link != b.Link || a.Slot != b.Slot {
		t.Errorf("two starts got %v and %v", a.Link, b.Link)
	}
}

func TestClustersSideBySideGetDifferentLinks(t *testing.T) {
	taken := map[int]bool{}
	links := map[netip.Prefix]bool{}
	for range slots {
		p := Plan{Name: "same"} // the worst case: all lead to the same slot
		if err := p.Choose(taken, nil); err != nil {
			t.Fatal(err)
		}
		if links[p.Link] {
			t.Fatalf("link %v was given twice", p.Link)
		}
		if !p.NodeIP().IsPrivate() || !p.Link.Contains(p.NodeIP()) {
			t.Fatalf("node address %v is not a private one in %v", p.NodeIP(), p.Link)
		}
		taken[p.Slot], links[p.Link] = true, true
	}
	if err := (&Plan{Name: "one-more"}).Choose(taken, nil); err == nil {
		t.Error("a cluster got networks when all slots were taken")
	}
}

func TestNetworksOfTheHostAreAvoided(t *testing.T) {
	for _, test := range []struct {
		name, occupied, wantPods string
	}{
		{"nothing in the way", "192.168.0.0/16", "10.90.0.0/16"},
		{"a nameserver among the Services", "10.91.0.10/32", "10.190.0.0/16"},
		{"the host is in 10.0.0.0/8", "10.0.0.0/8", "172.30.0.0/16"},
		{"all links of the first family", "10.89.0.0/16", "10.190.0.0/16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Plan{Name: "local"}
			if err := p.Choose(nil, []netip.Prefix{netip.MustParsePrefix(test.occupied)}); err != nil {
				t.Fatal(err)
			}
			if p.Pods.String() != test.wantPods {
				t.Errorf("pods are in %v, want %v", p.Pods, test.wantPods)
			}
		})
	}
}

func TestAddressesFollowFromTheNetworks(t *testing.T) {
	p := Plan{Name: "local", Slot: 7, Link: netip.MustParsePrefix("10.89.7.0/30"), Services: netip.MustParsePrefix("10.91.0.0/16")}
	for what, got := range map[string][2]string{
		"host":         {p.HostIP().String(), "10.89.7.1"},
		"node":         {p.NodeIP().String(), "10.89.7.2"},
		"API Service":  {p.APIServiceIP().String(), "10.91.0.1"},
		"DNS Service":  {p.DNSServiceIP().String(), "10.91.0.10"},
		"registry":     {p.Registry(), "10.89.7.2:5000"},
		"remains mark": {p.Mark(), "serverless-cluster-local"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %s, want %s", what, got[0], got[1])
		}
	}
	if name := (&Plan{Slot: slots}).HostInterface(); len(name) > 15 {
		t.Errorf("interface name %s is longer than the kernel takes", name)
	}
}

func TestRememberedPortIsTriedFirst(t *testing.T) {
	p := Plan{Slot: slots, APIPort: 12345}
	ports := p.PortsToTry()
	if ports[0] != 12345 {
		t.Errorf("first port is %d, want the remembered 12345", ports[0])
	}
	for _, port := range ports[1:] {
		if port < 16443 || port >= 16443+slots {
			t.Errorf("port %d is out of range", port)
		}
	}
}

func TestPlanIsReadAsItWasSaved(t *testing.T) {
	p := &Plan{Name: "local", Dir: t.TempDir(), APIPort: 16443}
	if err := p.Choose(nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	read, err := Load(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if *read != *p {
		t.Errorf("read %+v, saved %+v", read, p)
	}
	if none, err := Load(t.TempDir()); none != nil || err != nil {
		t.Errorf("an empty directory gave %v, %v", none, err)
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"local": true, "a": true, "e2e-1": true,
		"": false, "-a": false, "a-": false, "A": false, "a/b": false, "..": false, strings.Repeat("a", 33): false,
	} {
		if err := CheckName(name); (err == nil) != valid {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}
