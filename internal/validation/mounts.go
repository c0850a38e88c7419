package validation

import (
	"fmt"
	"path"
	"slices"

	k8svalidation "k8s.io/apimachinery/pkg/util/validation"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/workload"
)

func secretMounts(mounts []v1alpha2.SecretMount) []string {
	var errs, paths []string
	names := map[string]bool{}
	for _, mount := range mounts {
		errs = append(errs, k8svalidation.IsDNS1123Subdomain(mount.SecretName)...)
		names[mount.SecretName] = true
		paths = append(paths, directory(mount.MountPath))
	}
	if len(names) < len(mounts) {
		errs = append(errs, "secretNames should be unique")
	}
	errs = append(errs, mountPaths(paths)...)
	if len(errs) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("invalid spec.secretMounts: %v", errs)}
}

func mountPaths(paths []string) []string {
	var errs []string
	slices.Sort(paths)
	for i, mounted := range paths {
		if i > 0 && paths[i-1] == mounted {
			// Three of them are said once.
			if i == 1 || paths[i-2] != mounted {
				errs = append(errs, fmt.Sprintf("mountPaths should be unique: %s is there more than once", mounted))
			}
			continue
		}
		if mounted == "/" || mounted == workload.TemporaryDir {
			errs = append(errs, fmt.Sprintf("mountPath %s hides what the Function needs there: choose another directory", mounted))
		}
	}
	return errs
}

// directory is where the kubelet mounts what is asked for at the path.
func directory(mountPath string) string { return path.Clean("/" + mountPath) }
