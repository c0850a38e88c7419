package module

import (
	"cmp"

	"kyma-project.io/serverless/api/operator/v1alpha1"
)

// smallCluster is the number of nodes up to which presets are small.
const smallCluster = 2

// Presets are the resource presets of Functions and builds that name none.
type Presets struct {
	BuildJob   string
	RuntimePod string
}

// ChoosePresets returns the presets asked for, or those that fit the cluster.
func ChoosePresets(spec v1alpha1.ServerlessSpec, nodes int) Presets {
	fitting := Presets{BuildJob: "normal", RuntimePod: "L"}
	if nodes <= smallCluster {
		fitting = Presets{BuildJob: "slow", RuntimePod: "XS"}
	}
	return Presets{
		BuildJob:   cmp.Or(spec.DefaultBuildJobPreset, fitting.BuildJob),
		RuntimePod: cmp.Or(spec.DefaultRuntimePodPreset, fitting.RuntimePod),
	}
}
