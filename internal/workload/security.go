package workload

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// functionUser is the user and group of Functions and of their builds
// (contract/functions.md 3.5).
const functionUser int64 = 10001

// RestrictedPod satisfies the restricted Pod Security Standard.
func RestrictedPod() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		RunAsUser:      ptr.To(functionUser),
		RunAsGroup:     ptr.To(functionUser),
		FSGroup:        ptr.To(functionUser),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// RestrictedContainer satisfies the restricted Pod Security Standard.
func RestrictedContainer() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		Privileged:               ptr.To(false),
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		RunAsNonRoot:             ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// overlay puts the settings that a user made over the defaults; what the user
// left open stays as it is.
func overlay[T any](defaults, users *T) *T {
	if users == nil {
		return defaults
	}
	// Decoding leaves alone what the text doesn't name, at each depth.
	text, err := json.Marshal(users)
	if err == nil {
		err = json.Unmarshal(text, defaults)
	}
	if err != nil {
		return users
	}
	return defaults
}
