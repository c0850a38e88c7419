package preset_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
)

func TestLabelNamesAProfileWhereTheSpecDoesNot(t *testing.T) {
	small, large := &v1alpha2.ResourceRequirements{Profile: "XS"}, &v1alpha2.ResourceRequirements{Profile: "L"}
	own := &v1alpha2.ResourceRequirements{Resources: &corev1.ResourceRequirements{}}
	type asked = v1alpha2.ResourceConfiguration
	labelled := func(profile string, sizes *asked) *v1alpha2.Function {
		fn := &v1alpha2.Function{}
		if profile != "" {
			fn.Labels = map[string]string{preset.FunctionLabel: profile}
		}
		fn.Spec.ResourceConfiguration = sizes
		return fn
	}
	builds := labelled("", nil)
	builds.Labels = map[string]string{preset.BuildLabel: "normal"}

	for name, test := range map[string]struct {
		fn, former *v1alpha2.Function
		want       *asked
	}{
		"no label":                            {fn: labelled("", nil)},
		"a profile of Functions":              {fn: labelled("XS", nil), want: &asked{Function: small}},
		"a profile of builds":                 {fn: builds, want: &asked{Build: &v1alpha2.ResourceRequirements{Profile: "normal"}}},
		"a profile that is none":              {fn: labelled("XXL", nil)},
		"a profile of builds for Functions":   {fn: labelled("normal", nil)},
		"another profile in the spec":         {fn: labelled("XS", &asked{Function: large}), want: &asked{Function: large}},
		"resources in the spec":               {fn: labelled("XS", &asked{Function: own}), want: &asked{Function: own}},
		"only builds in the spec":             {fn: labelled("XS", &asked{Build: own}), want: &asked{Function: small, Build: own}},
		"the label changes":                   {labelled("L", &asked{Function: small}), labelled("XS", &asked{Function: small}), &asked{Function: large}},
		"the label changes, the spec too":     {labelled("L", &asked{Function: own}), labelled("XS", &asked{Function: small}), &asked{Function: own}},
		"the label never was what ran":        {labelled("XS", &asked{Function: large}), labelled("XXL", &asked{Function: large}), &asked{Function: large}},
		"the label comes to a profile":        {labelled("XS", &asked{Function: large}), labelled("", &asked{Function: large}), &asked{Function: large}},
		"the label goes":                      {labelled("", &asked{Function: small}), labelled("XS", &asked{Function: small}), &asked{Function: small}},
		"an update of an unlabelled Function": {labelled("", nil), labelled("", nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := preset.Parse([]byte(config))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, parsed.FromLabels(test.fn, test.former)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
