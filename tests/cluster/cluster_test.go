package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"

	"kyma-project.io/serverless/tests/cluster/internal/binaries"
	"kyma-project.io/serverless/tests/cluster/internal/image"
	"kyma-project.io/serverless/tests/cluster/internal/status"
)

// TestCluster starts a real cluster, so it asks to be asked for: it takes a
// minute, and a quarter of an hour if nothing was built before.
func TestCluster(t *testing.T) {
	if os.Getenv("CLUSTER_TEST") == "" {
		t.Skip("set CLUSTER_TEST=1, as root, to start a real cluster")
	}
	c := newCluster(t)
	before := remains(t, c)

	c.run(t, "up")
	if out := c.run(t, "status"); !strings.Contains(out, "(ready)") {
		t.Errorf("status says\n%s", out)
	}
	c.deployWorkload(t)
	url := "http://127.0.0.1:" + c.kubectl(t, "get", "service", "server", "--namespace=workload", "--output=jsonpath={.spec.ports[0].nodePort}")
	for path, want := range map[string]string{
		"/":      "hello",
		"/write": "user 65532 wrote",
		"/resolve?name=kubernetes.default.svc.cluster.local": "[10.91.0.1]",
	} {
		eventually(t, "node port "+path, func(ctx context.Context) error { return answers(ctx, url+path, want) })
	}
	if out := c.kubectl(t, "logs", "deployment/server", "--namespace=workload"); !strings.Contains(out, "listening") {
		t.Errorf("logs of the pod: %s", out)
	}
	eventually(t, "metrics", func(ctx context.Context) error {
		return c.command(ctx, c.program("kubectl"), "top", "node").Run()
	})

	again := time.Now()
	c.run(t, "up")
	if took := time.Since(again); took > 5*time.Second {
		t.Errorf("up took %v with the cluster running", took)
	}

	c.run(t, "down")
	assertNothingLeft(t, c, before)
	c.run(t, "down") // once more is no error

	c.run(t, "up")
	c.killSupervisor(t)
	c.run(t, "down")
	assertNothingLeft(t, c, before)
}

// cluster is one that the test has to itself.
type cluster struct{ name, dir, binary, assets string }

func newCluster(t *testing.T) *cluster {
	c := &cluster{name: fmt.Sprintf("test-%d", os.Getpid()), dir: t.TempDir(), binary: filepath.Join(t.TempDir(), "cluster")}
	if out, err := exec.Command("go", "build", "-o", c.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(c.binary, "down", "--name", c.name, "--dir", c.dir).CombinedOutput(); err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
		if root, err := binaries.Root(); err == nil {
			os.RemoveAll(filepath.Join(root, "registry", c.name))
		}
	})
	c.assets = strings.TrimSpace(c.run(t, "assets"))
	return c
}

func (c *cluster) program(name string) string { return filepath.Join(c.assets, name) }

func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(c.dir, "kubeconfig"))
	return cmd
}

func (c *cluster) run(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, c.command(t.Context(), c.binary, append(args, "--name", c.name, "--dir", c.dir)...))
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, c.command(t.Context(), c.program("kubectl"), args...))
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, &stderr)
	}
	return string(out)
}

// deployWorkload pushes an image to the release registry and runs it as the
// strictest Pod Security level wants it, with a volume.
func (c *cluster) deployWorkload(t *testing.T) {
	t.Helper()
	registry := strings.TrimSpace(c.run(t, "registry"))
	program := filepath.Join(t.TempDir(), "server")
	build := exec.Command("go", "build", "-o", program, "./testdata/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output(t, build)
	content, err := image.OfProgram(program)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(registry + "/server:test")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, content, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("push to the release registry: %v", err)
	}
	manifest, err := os.ReadFile("testdata/workload.yaml")
	if err != nil {
		t.Fatal(err)
	}
	apply := c.command(t.Context(), c.program("kubectl"), "apply", "--filename=-")
	apply.Stdin = strings.NewReader(strings.ReplaceAll(string(manifest), "REGISTRY", registry))
	output(t, apply)
	c.kubectl(t, "wait", "--namespace=workload", "--for=condition=Available", "--timeout=60s", "deployment/server")
	c.kubectl(t, "wait", "--namespace=workload", "--for=jsonpath={.status.phase}=Bound", "--timeout=10s", "pvc/data")
}

// killSupervisor leaves it no time to clean up, and waits until the kernel has
// ended the node's processes.
func (c *cluster) killSupervisor(t *testing.T) {
	t.Helper()
	s, err := status.Read(c.dir)
	if err != nil || s == nil {
		t.Fatalf("read status: %v, %v", s, err)
	}
	if err := unix.Kill(s.Supervisor, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of all processes", func(context.Context) error {
		if left := processes(t, c); len(left) > 0 {
			return fmt.Errorf("still there: %v", left)
		}
		return nil
	})
}

// remains is what of a cluster is on the host, kind by kind.
func remains(t *testing.T, c *cluster) map[string][]string {
	t.Helper()
	mark := "serverless-cluster-" + c.name
	cgroups, err := filepath.Glob("/sys/fs/cgroup/*" + mark)
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("/sys/fs/cgroup/*/" + mark)
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	left := map[string][]string{
		"processes":  processes(t, c),
		"mounts":     linesWith(string(mounts), c.dir),
		"cgroups":    append(cgroups, deeper...),
		"rules":      linesWith(output(t, exec.Command("iptables-save")), mark),
		"register":   nil,
		"interfaces": nil,
	}
	if _, err := os.Stat("/run/serverless-cluster/clusters/" + c.name + ".json"); err == nil {
		left["register"] = []string{c.name}
	}
	interfaces, err := filepath.Glob("/sys/class/net/slcluster*")
	if err != nil {
		t.Fatal(err)
	}
	left["interfaces"] = interfaces
	return left
}

func processes(t *testing.T, c *cluster) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		line, err := os.ReadFile(path)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if strings.Contains(string(line), c.dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func linesWith(text, part string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return !strings.Contains(line, part) })
}

// assertNothingLeft compares with what was there before the cluster; the
// interfaces of other clusters are.
func assertNothingLeft(t *testing.T, c *cluster, before map[string][]string) {
	t.Helper()
	for kind, left := range remains(t, c) {
		for _, one := range left {
			if !slices.Contains(before[kind], one) {
				t.Errorf("%s left: %s", kind, one)
			}
		}
	}
}

func answers(ctx context.Context, url, want string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if string(body) != want {
		return fmt.Errorf("got %q, want %q", body, want)
	}
	return nil
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: %v (last: %v)", what, err, last)
	}
}
