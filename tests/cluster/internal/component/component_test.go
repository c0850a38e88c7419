package component

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"kyma-project.io/serverless/tests/cluster/internal/plan"
)

func testPlan() *plan.Plan {
	return &plan.Plan{
		Name: "local", Dir: "/state", Binaries: "/bin", RegistryDir: "/cache/registry", PauseImage: "/cache/pause.tar", Slot: 7,
		Link: netip.MustParsePrefix("10.89.7.0/30"), Pods: netip.MustParsePrefix("10.90.0.0/16"), Services: netip.MustParsePrefix("10.91.0.0/16"),
	}
}

func TestFilesAreWellFormed(t *testing.T) {
	files, err := Files(testPlan(), Uplink{Nameservers: []string{"192.0.2.53"}, MTU: 1400})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
			t.Errorf("%s is not filled in:\n%s", name, text)
		}
		switch {
		case strings.HasSuffix(name, ".yaml"):
			for _, document := range strings.Split(text, "\n---\n") {
				if err := yaml.Unmarshal([]byte(document), &map[string]any{}); err != nil {
					t.Errorf("%s: %v in\n%s", name, err, document)
				}
			}
		case strings.HasSuffix(name, ".conflist"):
			if !json.Valid([]byte(text)) {
				t.Errorf("%s is no JSON:\n%s", name, text)
			}
		}
	}
}

func TestFilesSayWhatTheClusterNeeds(t *testing.T) {
	files, err := Files(testPlan(), Uplink{Nameservers: []string{"192.0.2.53"}, MTU: 1400})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ why, file, want string }{
		{"clusters must not share a cgroup", "etc/kubelet.yaml", "cgroupRoot: /serverless-cluster-local"},
		{"cgroup v1 hosts are supported", "etc/kubelet.yaml", "failCgroupV1: false"},
		{"pods ask the cluster's DNS", "etc/kubelet.yaml", "clusterDNS: ['10.91.0.10']"},
		{"packets fit the host's way out", "etc/bridge.conflist", `"mtu": 1400`},
		{"external names resolve", "etc/resolv.conf", "nameserver 192.0.2.53\n"},
		{"node ports answer on the node's loopback", "etc/kube-proxy.yaml", "localhostNodePorts: true"},
		{"localhost registries are pulled from over HTTP", "etc/containerd.toml", "config_path = '/state/etc/certs.d'"},
		{"so is the release registry", "etc/certs.d/10.89.7.2:5000/hosts.toml", `server = "http://10.89.7.2:5000"`},
		{"there is a default storage class", "etc/addons.yaml", `storageclass.kubernetes.io/is-default-class: "true"`},
	} {
		if !strings.Contains(files[test.file], test.want) {
			t.Errorf("%s: %s lacks %q:\n%s", test.why, test.file, test.want, files[test.file])
		}
	}
}

func TestProgramsHaveNamesOfTheirOwn(t *testing.T) {
	p := testPlan()
	all := append(Runtime(p), Etcd(p), APIServer(p))
	all = append(all, Controllers(p)...)
	all = append(all, Node(p)...)
	all = append(all, Services(p)...)
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.Name] {
			t.Errorf("%s is there twice, and would share a log", c.Name)
		}
		seen[c.Name] = true
	}
}
