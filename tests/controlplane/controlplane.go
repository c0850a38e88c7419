// Package controlplane runs a Kubernetes of API objects alone: an API server,
// the controllers and the scheduler are real, the nodes are played by kwok. No
// container runs, so what is measured is what the API and its clients do.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Config says what to run and where.
type Config struct {
	// Assets is the directory of etcd, kube-apiserver, kube-controller-manager and kube-scheduler.
	Assets string
	// Kwok is the path of the program that plays nodes.
	Kwok string
	// Dir is where logs and kubeconfigs go.
	Dir string
	// AuditedUser is the one whose requests Requests returns.
	AuditedUser string
	// Nodes is how many nodes there are, each with room for podsPerNode.
	Nodes int
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	config      Config
	environment *envtest.Environment
	processes   []*Process

	// Admin is the configuration of a client that may do everything.
	Admin *rest.Config
}

// Start starts a control plane and waits until its nodes are ready.
func Start(ctx context.Context, config Config) (*ControlPlane, error) {
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of the control plane: %w", err)
	}
	plane := &ControlPlane{config: config, environment: &envtest.Environment{BinaryAssetsDirectory: config.Assets}}
	if err := plane.start(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return plane, nil
}

func (p *ControlPlane) start(ctx context.Context) error {
	if err := p.configureAudit(); err != nil {
		return err
	}
	p.environment.ControlPlane.GetAPIServer().Configure().
		// Service accounts are admitted as everywhere: the controllers that make them run.
		Disable("disable-admission-plugins").
		Set("service-cluster-ip-range", "10.0.0.0/16")
	var err error
	if p.Admin, err = p.environment.Start(); err != nil {
		return fmt.Errorf("start API server: %w; %s has its programs", err, p.config.Assets)
	}
	p.Admin.QPS = -1
	kubeconfig, err := p.Kubeconfig("admin", "system:masters")
	if err != nil {
		return err
	}
	stagesFile := filepath.Join(p.config.Dir, "stages.yaml")
	if err := os.WriteFile(stagesFile, stages, 0o644); err != nil {
		return fmt.Errorf("write stages of nodes and Pods: %w", err)
	}
	for _, component := range components(p.config, kubeconfig, stagesFile) {
		process, err := StartProcess(ctx, component, p.config.Dir)
		if err != nil {
			return err
		}
		p.processes = append(p.processes, process)
	}
	return p.createNodes(ctx)
}

// Kubeconfig writes a kubeconfig for the user and returns its path.
func (p *ControlPlane) Kubeconfig(user string, groups ...string) (string, error) {
	added, err := p.environment.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		return "", fmt.Errorf("add user %s: %w", user, err)
	}
	text, err := added.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("make kubeconfig of %s: %w", user, err)
	}
	// A colon would separate paths in KUBECONFIG.
	path := filepath.Join(p.config.Dir, strings.ReplaceAll(user, ":", "-")+".kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write kubeconfig of %s: %w", user, err)
	}
	return path, nil
}

// Stop ends all of it.
func (p *ControlPlane) Stop() error {
	for i := len(p.processes) - 1; i >= 0; i-- {
		p.processes[i].Stop()
	}
	if err := p.environment.Stop(); err != nil {
		return fmt.Errorf("stop API server: %w", err)
	}
	return nil
}
