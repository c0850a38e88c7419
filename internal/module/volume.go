package module

import (
	"fmt"

	"kyma-project.io/serverless/internal/volume"
)

// VolumeWarning returns what to do about the volume of the module's own
// registry, of which the registry says how full it is; or "".
func VolumeWarning(annotation, namespace string) string {
	const remedy = "Enlarge the PersistentVolumeClaim %s/%s, or delete Functions and revisions that are not needed"
	state, err := volume.Parse(annotation)
	switch {
	case err != nil:
		return fmt.Sprintf("what the registry says of its volume can't be read, from ConfigMap %s/%s: %v", namespace, RegistryVolumeName, err)
	case state.Level == volume.Low:
		return fmt.Sprintf("the volume of the registry gets full: %s. "+remedy, state.Usage, namespace, RegistryName)
	case state.Level == volume.Full:
		return fmt.Sprintf("the volume of the registry is full: %s. Functions go on serving, but new images are refused. "+remedy,
			state.Usage, namespace, RegistryName)
	default:
		return ""
	}
}
