package fips

import "testing"

func TestModeIsRefusedWhereItIsNotEnforced(t *testing.T) {
	for _, test := range []struct {
		asked          string
		enforced, want bool
		refused        string
	}{
		{"", false, false, ""},
		{"", true, false, ""},
		{"false", false, false, ""},
		{"true", true, true, ""},
		{"true", false, false, "FIPS 140 exclusive mode is not enabled. Check GODEBUG flags."},
	} {
		got, err := mode(test.asked, test.enforced)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != test.want || text != test.refused {
			t.Errorf("asked %q, enforced %t: %t, %q", test.asked, test.enforced, got, text)
		}
	}
}
