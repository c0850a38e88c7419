package v1alpha1

import (
	"bytes"
	"encoding/json"
)

// IntOrString is a setting that manifests write as a number or as a string.
// It keeps the text, whichever it was. Other than the type of that name in
// apimachinery it holds numbers of any size: one that can't be decoded would
// keep the operator from reading any resource, and so from naming the mistake.
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
type IntOrString string

// UnmarshalJSON reads a number or a string.
func (s *IntOrString) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, (*string)(s))
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	*s = IntOrString(number)
	return nil
}
