package webhook

import (
	"context"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// defaulter sets the fields that a Function's labels stand for. Constant
// defaults are in the CRD. It patches just these fields: a patch made of the
// whole object would add empty ones that no user wrote.
type defaulter struct {
	Rules
	decoder admission.Decoder
}

// Handle answers with a patch, or with none.
func (d *defaulter) Handle(_ context.Context, request admission.Request) admission.Response {
	fn := &v1alpha2.Function{}
	if err := d.decoder.DecodeRaw(request.Object, fn); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var former *v1alpha2.Function
	if request.Operation == admissionv1.Update {
		former = &v1alpha2.Function{}
		if err := d.decoder.DecodeRaw(request.OldObject, former); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	sizes := d.Profiles.FromLabels(fn, former)
	if fn.DeletionTimestamp != nil || equality.Semantic.DeepEqual(sizes, fn.Spec.ResourceConfiguration) {
		return admission.Allowed("")
	}
	// "add" replaces a field that is there.
	return admission.Patched("", jsonpatch.NewOperation("add", "/spec/resourceConfiguration", sizes))
}
