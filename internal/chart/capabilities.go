package chart

import (
	"fmt"

	"helm.sh/helm/v3/pkg/chartutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
)

// optionalVersions are those whose kinds templates ask for. A cluster may have
// some kinds of a group and lack others.
var optionalVersions = []string{"monitoring.coreos.com/v1"}

// Capabilities asks a cluster for its version and its API groups, which a
// chart may depend on. Of the kinds in the groups it has only those that
// templates ask for: all of them would take many more requests.
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
	for _, version := range optionalVersions {
		if !versions.Has(version) {
			continue
		}
		kinds, err := cluster.ServerResourcesForGroupVersion(version)
		if apierrors.IsNotFound(err) {
			continue // It has just gone.
		}
		if err != nil {
			return nil, fmt.Errorf("list kinds of %s in the cluster: %w", version, err)
		}
		for _, kind := range kinds.APIResources {
			versions = append(versions, version+"/"+kind.Kind)
		}
	}
	return &chartutil.Capabilities{
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		APIVersions: versions,
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}
