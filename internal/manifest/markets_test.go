package manifest_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

func TestMarketsMayChangeTheOperator(t *testing.T) {
	template := only[appsv1.Deployment](t, "Deployment")[0].Spec.Template
	for _, key := range []string{"alter-img-registry", "add-img-pull-secret", "set-fips-mode"} {
		if template.Annotations["rt-cfg.kyma-project.io/"+key] != "true" {
			t.Errorf("no %s among %v", key, template.Annotations)
		}
	}
}

// lifecycle-manager compares names with tags to find what to replace, and
// fails where a variable that it sets is there already.
func TestImagesAreWhereTheLifecycleManagerReplacesThem(t *testing.T) {
	container := only[appsv1.Deployment](t, "Deployment")[0].Spec.Template.Spec.Containers[0]
	for _, arg := range container.Args {
		if strings.Contains(arg, "registry.test") {
			t.Errorf("an image is in the argument %s", arg)
		}
	}
	images, strict := 0, false
	for _, variable := range container.Env {
		switch {
		case strings.HasPrefix(variable.Name, "IMAGE_"):
			images++
			if !strings.HasPrefix(variable.Value, "registry.test/") || !strings.HasSuffix(variable.Value, ":1") {
				t.Errorf("%s is %s", variable.Name, variable.Value)
			}
		case variable.Name == "SKR_IMG_PULL_SECRET" || variable.Name == "KYMA_FIPS_MODE_ENABLED":
			t.Errorf("%s is set", variable.Name)
		case variable.Name == "GODEBUG":
			strict = variable.Value == "fips140=only,tlsmlkem=0"
		}
	}
	if images < 5 || !strict {
		t.Errorf("%d images; ready for FIPS mode: %t", images, strict)
	}
}
