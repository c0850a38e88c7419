package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The program is compiled as for its image, and run as in a Job.
func TestProgramInFIPSMode(t *testing.T) {
	program := filepath.Join(t.TempDir(), "builder")
	compile := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFIPS140=v1.0.0")
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	server := httptest.NewTLSServer(registry.New())
	t.Cleanup(server.Close)
	trusted := filepath.Join(t.TempDir(), "ca.crt")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(trusted, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	url, commit := repository(t, map[string]string{"handler.js": "module.exports = {}"})
	fetch := []string{"fetch", "--url=" + strings.Replace(url, "://", "://ann:s3cret@", 1), "--commit=" + commit, "--base-dir=/",
		"--to=" + filepath.Join(root, "source"), "--source-file=handler.js", "--dependencies-file=package.json", "--empty-dependencies={}"}
	push := []string{"push", "--root=" + filepath.Join(root, "source"), "--entry=.", "--directory=/function",
		"--to=" + strings.TrimPrefix(server.URL, "https://") + "/shop.dependencies:1"}
	const strict, refused = "fips140=only,tlsmlkem=0", "FIPS 140 exclusive mode is not enabled. Check GODEBUG flags."
	for _, test := range []struct {
		name, debug, want string
		args              []string
	}{
		{"is refused if Go doesn't enforce it", "", refused, push},
		{"is refused if Go only prefers it", "fips140=on", refused, push},
		{"fetches", strict, "fetched " + commit, fetch},
		{"pushes", strict, "pushed ", push},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), program, test.args...)
			command.Env = []string{"KYMA_FIPS_MODE_ENABLED=true", "GODEBUG=" + test.debug, "SSL_CERT_FILE=" + trusted, "TMPDIR=" + t.TempDir(), "HOME=" + t.TempDir()}
			output, err := command.CombinedOutput()
			if !strings.Contains(string(output), test.want) || (err == nil) != (test.want != refused) {
				t.Errorf("%v: %s; want %q", err, output, test.want)
			}
		})
	}
}
