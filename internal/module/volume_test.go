package module_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/module"
	"kyma-project.io/serverless/internal/volume"
)

func TestFullVolumeIsAWarningThatSaysWhatToDo(t *testing.T) {
	const remedy = ". Enlarge the PersistentVolumeClaim kyma-system/serverless-docker-registry, or delete Functions and revisions that are not needed"
	for name, test := range map[string]struct{ annotation, want string }{
		"nothing said": {"", ""},
		"ample":        {volume.State{Level: volume.Ample}.String(), ""},
		"low": {
			volume.State{Level: volume.Low, Percent: 87, Usage: "87 % of its 19.5 GiB are in use"}.String(),
			"the volume of the registry gets full: 87 % of its 19.5 GiB are in use" + remedy,
		},
		"full": {
			volume.State{Level: volume.Full, Percent: 98, Usage: "98 % of its 19.5 GiB are in use"}.String(),
			"the volume of the registry is full: 98 % of its 19.5 GiB are in use. Functions go on serving, but new images are refused" + remedy,
		},
	} {
		if got := module.VolumeWarning(test.annotation, "kyma-system"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := module.VolumeWarning("{", "kyma-system"); !strings.Contains(got, "ConfigMap kyma-system/serverless-docker-registry-volume") {
		t.Errorf("not readable: %q", got)
	}
}
