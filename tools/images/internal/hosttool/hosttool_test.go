package hosttool_test

import (
	"strings"
	"testing"

	"kyma-project.io/serverless/tools/images/internal/hosttool"
)

func TestMissingToolIsNamedWithItsFix(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := hosttool.Command{Name: "npm", Args: []string{"pack"}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "apt-get install npm") {
		t.Errorf("got %v, want an error that says how to get npm", err)
	}
}

func TestErrorHoldsTheEndOfWhatTheToolSaid(t *testing.T) {
	err := hosttool.Command{Name: "sh", Args: []string{"-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo line $i >&2; done; exit 3"}}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "line 16") || strings.Contains(err.Error(), "line 1\n") {
		t.Errorf("got %v", err)
	}
}
