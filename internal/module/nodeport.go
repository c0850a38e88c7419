package module

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
)

const (
	// defaultNodePort is where the kubelet reaches the internal registry, if it is free.
	defaultNodePort int32 = 32137

	firstNodePort int32 = 30000
	endOfNodePort int32 = 32767
	nodePortDraws       = 100
)

// CurrentNodePort returns the port that the registry's Service has already.
// The images of running Functions are named by it, so it is kept.
func CurrentNodePort(service *corev1.Service) (int32, bool) {
	if service == nil || service.Spec.Type != corev1.ServiceTypeNodePort {
		return 0, false
	}
	for _, port := range service.Spec.Ports {
		if port.NodePort != 0 && (port.NodePort == defaultNodePort || port.Name == RegistryPortName) {
			return port.NodePort, true
		}
	}
	return 0, false
}

// FreeNodePort returns the default port, or another one if a Service holds it.
// draw returns a random number below its argument.
func FreeNodePort(services []corev1.Service, draw func(n int32) int32) (int32, error) {
	taken := map[int32]bool{}
	for _, service := range services {
		for _, port := range service.Spec.Ports {
			taken[port.NodePort] = true
		}
	}
	candidate := defaultNodePort
	for range nodePortDraws {
		if !taken[candidate] {
			return candidate, nil
		}
		candidate = firstNodePort + draw(endOfNodePort-firstNodePort)
	}
	return 0, errors.New("couldn't draw available port number, try again")
}
