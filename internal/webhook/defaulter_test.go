package webhook

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/preset"
)

// A patch that names more than what is defaulted would be seen as the user's.
func TestPatchNamesOnlyWhatALabelStandsFor(t *testing.T) {
	profiles, err := preset.Parse([]byte(`
function: {resources: {defaultPreset: XS, presets: {XS: {}, L: {}}}}
buildJob: {resources: {defaultPreset: slow, presets: {slow: {}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	const (
		spec     = `"spec":{"runtime":"nodejs22","source":{"inline":{"source":"x"}}`
		labelled = `{"apiVersion":"serverless.kyma-project.io/v1alpha2","kind":"Function","metadata":{"name":"f","labels":{"serverless.kyma-project.io/function-resources-preset":"L"}},` + spec
		plain    = `{"apiVersion":"serverless.kyma-project.io/v1alpha2","kind":"Function","metadata":{"name":"f"},` + spec
		set      = `[{"op":"add","path":"/spec/resourceConfiguration","value":{"function":{"profile":"L"}}}]`
	)
	for name, test := range map[string]struct{ former, object, want string }{
		"without a label":          {"", plain + `}}`, `null`},
		"with a label":             {"", labelled + `}}`, set},
		"with a label and a field": {"", labelled + `,"resourceConfiguration":{"function":{"profile":"XS"}}}}`, `null`},
		"label is new":             {plain + `}}`, labelled + `}}`, set},
		"update of a defaulted one": {labelled + `,"resourceConfiguration":{"function":{"profile":"L"}}}}`,
			labelled + `,"resourceConfiguration":{"function":{"profile":"L"}}}}`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: []byte(test.object)},
			}}
			if test.former != "" {
				request.Operation, request.OldObject = admissionv1.Update, runtime.RawExtension{Raw: []byte(test.former)}
			}
			response := (&defaulter{Rules: Rules{Profiles: profiles}, decoder: admission.NewDecoder(scheme)}).Handle(t.Context(), request)
			got, err := json.Marshal(response.Patches)
			if err != nil || !response.Allowed || string(got) != test.want {
				t.Errorf("allowed %t with %s (%v), want %s", response.Allowed, got, err, test.want)
			}
		})
	}
}
