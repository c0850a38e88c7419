package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"kyma-project.io/serverless/internal/registry"
)

// localRegistry is the module's own registry on this machine, for a dry run.
type localRegistry struct {
	address string
	server  *http.Server
	storage string
}

// startRegistry starts one and logs this process, and those that it starts, in
// to it and to no other.
func startRegistry(ctx context.Context) (*localRegistry, error) {
	directory, err := os.MkdirTemp("", "release-registry-")
	if err != nil {
		return nil, fmt.Errorf("make directory of the registry: %w", err)
	}
	// What it would log of each request is what the clients report, too.
	logrus.SetOutput(io.Discard)
	local := &localRegistry{storage: directory}
	if err := local.serve(ctx); err != nil {
		local.stop()
		return nil, fmt.Errorf("start registry for the dry run: %w", err)
	}
	return local, nil
}

func (l *localRegistry) serve(ctx context.Context) error {
	credentials, docker := filepath.Join(l.storage, "credentials"), filepath.Join(l.storage, "docker")
	password := rand.Text()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.address = listener.Addr().String()
	login, err := json.Marshal(map[string]any{"auths": map[string]any{
		l.address: map[string]string{"username": "release", "password": password},
	}})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	err = errors.Join(
		os.Mkdir(credentials, 0o700), os.Mkdir(docker, 0o700),
		os.WriteFile(filepath.Join(credentials, "username"), []byte("release"), 0o600),
		os.WriteFile(filepath.Join(credentials, "password"), []byte(password), 0o600),
		os.WriteFile(filepath.Join(docker, "config.json"), login, 0o600),
		os.Setenv("DOCKER_CONFIG", docker),
	)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	handler, err := registry.NewHandler(ctx, registry.Options{Storage: filepath.Join(l.storage, "storage"), CredentialsDir: credentials})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	l.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "module: registry of the dry run:", err)
		}
	}()
	return nil
}

// stop leaves nothing behind.
func (l *localRegistry) stop() {
	if l.server != nil {
		l.server.Close()
	}
	if err := os.RemoveAll(l.storage); err != nil {
		fmt.Fprintln(os.Stderr, "module: remove the dry run's registry:", err)
	}
}
