package component

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

// PauseImage is the name of the sandboxes' image; it exists on the node only.
const PauseImage = "node.local/pause:1"

//go:embed files
var sources embed.FS

// Uplink is how the host reaches others.
type Uplink struct {
	// Nameservers resolve external names.
	Nameservers []string
	// MTU is the size of the largest packet, in bytes. Pods need it, too: of larger
	// ones, their first to each address would be lost.
	MTU int
}

// Files renders all configuration files; the keys are paths below the cluster's
// directory.
func Files(p *plan.Plan, uplink Uplink) (map[string]string, error) {
	entries, err := fs.ReadDir(sources, "files")
	if err != nil {
		return nil, fmt.Errorf("list configuration files: %w", err)
	}
	files := map[string]string{"etc/resolv.conf": resolvConf(uplink.Nameservers)}
	for _, entry := range entries {
		text, err := render(p, uplink, entry.Name())
		if err != nil {
			return nil, err
		}
		files[path.Join("etc", entry.Name())] = text
	}
	// What makes containerd pull from the release registry over plain HTTP.
	host := fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n", p.Registry())
	files[path.Join("etc/certs.d", p.Registry(), "hosts.toml")] = host
	return files, nil
}

func render(p *plan.Plan, uplink Uplink, name string) (string, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(sources, "files/"+name)
	if err != nil {
		return "", fmt.Errorf("parse template %s: %w", name, err)
	}
	var text strings.Builder
	if err := t.Execute(&text, struct {
		*plan.Plan
		Uplink
		PauseImage string
		MaxPods    int
	}{p, uplink, PauseImage, maxPods}); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return text.String(), nil
}

// maxPods is above the usual 110: tests and benchmarks run many small functions.
const maxPods = 500

func resolvConf(nameservers []string) string {
	var text strings.Builder
	for _, server := range nameservers {
		fmt.Fprintln(&text, "nameserver", server)
	}
	return text.String()
}
