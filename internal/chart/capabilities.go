package chart

import (
	"fmt"

	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/client-go/discovery"
)

// Capabilities asks a cluster for its version and its API groups, which a
// chart may depend on. The kinds in the groups are left out: they take many
// more requests, and no template asks for them.
func Capabilities(cluster discovery.DiscoveryInterface) (*chartutil.Capabilities, error) {
	version, err := cluster.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("get version of the cluster: %w", err)
	}
	groups, err := cluster.ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("list API groups of the cluster: %w", err)
	}
	var versions chartutil.VersionSet
	for _, group := range groups.Groups {
		for _, version := range group.Versions {
			versions = append(versions, version.GroupVersion)
		}
	}
	return &chartutil.Capabilities{
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		APIVersions: versions,
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}
