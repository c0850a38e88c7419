// Package ociregistry is a registry as others run it, for tests: the
// distribution project's, behind TLS by a private authority, which asks for a
// password or for tokens of a token server.
package ociregistry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd" // by name, in the configuration
	_ "github.com/distribution/distribution/v3/registry/auth/token"    // likewise
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // likewise
	"golang.org/x/crypto/bcrypt"
)

// Login is the only one that the registry takes.
const (
	Username = "robot"
	Password = "pa$$w:rd"
)

// Registry that runs.
type Registry struct {
	// Host is its address with the port.
	Host string
	// Authority has the certificate that the registry's own is signed by, in PEM.
	Authority string

	server *http.Server
	cancel context.CancelFunc
}

// Auth is how a registry has its clients log in.
type Auth string

const (
	// Basic has them send the password with each request.
	Basic Auth = "basic"
	// Token sends them to a token server, which takes the password.
	Token Auth = "token"
)

// Start has a registry answer at a free port of the IP address, with its
// content in the directory, until it is closed.
func Start(directory, ip string, by Auth) (*Registry, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	certificate, authority, err := issue(net.ParseIP(ip))
	if err != nil {
		return nil, err
	}
	host := listener.Addr().String()
	mux := http.NewServeMux()
	config := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem": configuration.Parameters{"rootdirectory": filepath.Join(directory, "images")},
	}}
	switch by {
	case Token:
		config.Auth, err = tokenAuth(mux, directory, "https://"+host)
	default:
		config.Auth, err = basicAuth(directory)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	mux.Handle("/v2/", handlers.NewApp(ctx, config))
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return &Registry{Host: host, Authority: authority, server: server, cancel: cancel}, nil
}

// Close ends the registry.
func (r *Registry) Close() error {
	r.cancel()
	return r.server.Close()
}

func basicAuth(directory string) (configuration.Auth, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	file := filepath.Join(directory, "htpasswd")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s:%s\n", Username, hash), 0o600); err != nil {
		return nil, err
	}
	return configuration.Auth{"htpasswd": configuration.Parameters{"realm": "test", "path": file}}, nil
}
