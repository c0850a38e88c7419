// Package plan decides what a cluster of a given name looks like: its
// addresses, its ports and where its files are.
package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
)

// Plan is all that the parts of one cluster have to agree on.
type Plan struct {
	Name string `json:"name"`
	// Dir holds all state of the cluster, logs included.
	Dir string `json:"dir"`
	// Binaries is the directory with the programs of the node.
	Binaries string `json:"binaries"`
	// RegistryDir keeps the images of the release registry. It outlives the
	// cluster, so that what was pushed once is there at the next start.
	RegistryDir string `json:"registryDir"`
	// PauseImage is the tarball of the image of the pods' sandboxes.
	PauseImage string `json:"pauseImage"`
	// Slot numbers the cluster on this machine.
	Slot int `json:"slot"`
	// Link is the network between the host and the node.
	Link     netip.Prefix `json:"link"`
	Pods     netip.Prefix `json:"pods"`
	Services netip.Prefix `json:"services"`
	// APIPort is where the API server answers on the host's 127.0.0.1.
	APIPort int `json:"apiPort"`
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// CheckName refuses names that can't name a node, a cgroup or a directory.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("check name %q: use up to 32 lower-case letters, digits and dashes, with a letter or digit at both ends", name)
	}
	return nil
}

// Load reads the plan that was saved in dir; there is none before the first start.
func Load(dir string) (*Plan, error) {
	data, err := os.ReadFile(filepath.Join(dir, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("parse plan in %s (delete it to start anew): %w", dir, err)
	}
	return &p, nil
}

const planFile = "cluster.json"

// Save keeps the plan for the supervisor, for later commands and for the next
// start, which prefers the same addresses and ports.
func (p *Plan) Save() error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	if err := os.WriteFile(p.Path(planFile), data, 0o644); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// Path is a path below the cluster's directory.
func (p *Plan) Path(elem ...string) string {
	return filepath.Join(append([]string{p.Dir}, elem...)...)
}

// Log is where the output of a program goes.
func (p *Plan) Log(program string) string { return p.Path("logs", program+".log") }

// RestartRequest is a file that has a program started again when it ends.
func (p *Plan) RestartRequest(program string) string { return p.Path("restart-" + program) }

// Kubeconfig is the path of the administrator's kubeconfig, for use on the host.
func (p *Plan) Kubeconfig() string { return p.Path("kubeconfig") }

// HostIP is the host's end of the link.
func (p *Plan) HostIP() netip.Addr { return p.Link.Addr().Next() }

// NodeIP is the node's end of the link.
func (p *Plan) NodeIP() netip.Addr { return p.HostIP().Next() }

// HostInterface names the host's end of the link; 15 characters are the limit.
func (p *Plan) HostInterface() string { return fmt.Sprintf("slcluster%d", p.Slot) }

// APIServiceIP is the address of the Service kubernetes.default.
func (p *Plan) APIServiceIP() netip.Addr { return p.Services.Addr().Next() }

// DNSServiceIP is the address of the cluster's DNS.
func (p *Plan) DNSServiceIP() netip.Addr {
	a := p.Services.Addr().As4()
	a[3] = 10
	return netip.AddrFrom4(a)
}

// Registry is the release registry's address, the same from everywhere.
func (p *Plan) Registry() string { return netip.AddrPortFrom(p.NodeIP(), 5000).String() }

// Mark names the cluster in what it makes on the host: rules and cgroups.
func (p *Plan) Mark() string { return "serverless-cluster-" + p.Name }
