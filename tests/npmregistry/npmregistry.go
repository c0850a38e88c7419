// Package npmregistry is a real npm registry for tests: verdaccio, which lets
// in nobody without a token, with packages that tests make.
package npmregistry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Registry is a running registry.
type Registry struct {
	// Token lets in.
	Token   string
	address string
	process *exec.Cmd
}

const configuration = `storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
uplinks: {}
packages:
  '**': {access: $authenticated, publish: $authenticated}
log: {type: stdout, format: pretty, level: warn}
`

// Start runs a registry that keeps what it has in the directory, on a port of
// this machine. Close ends it.
func Start(ctx context.Context, directory string) (*Registry, error) {
	program, err := install(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(directory, "config.yaml"), []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	var output bytes.Buffer
	process := exec.Command("node", program, "--config", "config.yaml", "--listen", address)
	process.Dir, process.Stdout, process.Stderr = directory, &output, &output
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start verdaccio: %w; install Node.js", err)
	}
	registry := &Registry{address: address, process: process}
	if err := registry.login(ctx); err != nil {
		registry.Close()
		return nil, fmt.Errorf("log in to verdaccio: %w\n%s", err, output.String())
	}
	return registry, nil
}

// Close ends the registry.
func (r *Registry) Close() {
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
}

// ServeHTTP answers as the registry does, by the name that it is asked by.
func (r *Registry) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	proxy := httputil.ReverseProxy{Rewrite: func(to *httputil.ProxyRequest) {
		to.SetURL(&url.URL{Scheme: "http", Host: r.address})
		to.Out.Host = to.In.Host
		to.SetXForwarded()
	}}
	proxy.ServeHTTP(response, request)
}

// login makes a user as soon as the registry answers, and takes its token.
func (r *Registry) login(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	user := map[string]string{"name": "ann", "password": "s3cret-of-ann"}
	for {
		var answer struct{ Token string }
		err := r.put(ctx, "/-/user/org.couchdb.user:ann", user, &answer)
		if err == nil {
			r.Token = answer.Token
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *Registry) put(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+r.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %s: %s", response.Status, content)
	}
	return json.Unmarshal(content, answer)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
