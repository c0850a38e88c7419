package logging_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyma-project.io/serverless/internal/logging"
)

func TestLevelIsTheConfigurations(t *testing.T) {
	for name, test := range map[string]struct {
		text        string
		debug, info bool
	}{
		"no file":        {"", false, true},
		"empty file":     {"{}", false, true},
		"debug":          {"logLevel: debug\nlogFormat: text", true, true},
		"nothing at all": {"logLevel: fatal", false, false},
		"only errors":    {"logLevel: error", false, false},
		"unknown keys":   {"logLevel: debug\nother: 1", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			file := ""
			if test.text != "" {
				file = write(t, test.text)
			}
			log := logging.New(io.Discard)
			if err := log.FollowFile(file); err != nil {
				t.Fatal(err)
			}
			if debug, info := log.V(1).Enabled(), log.Enabled(); debug != test.debug || info != test.info {
				t.Errorf("debug %v and info %v, want %v and %v", debug, info, test.debug, test.info)
			}
		})
	}
}

func TestOnlyTheErrorThatEndsTheProgramIsLoggedAtFatal(t *testing.T) {
	for format, want := range map[string]string{
		"json":    `"level":"fatal",`,
		"console": "\tFATAL\tthe program ends\t{\"error\": \"no cluster\"}",
	} {
		t.Run(format, func(t *testing.T) {
			out := &output{}
			log := logging.New(out)
			if err := log.FollowFile(write(t, "logLevel: fatal\nlogFormat: "+format)); err != nil {
				t.Fatal(err)
			}
			log.Error(errors.New("passing"), "try again")
			if got := out.take(); got != "" {
				t.Errorf("logged %q", got)
			}
			log.Fatal(errors.New("no cluster"))
			if got := out.take(); !strings.Contains(got, want) || !strings.Contains(got, "no cluster") || strings.Count(got, "\n") != 1 {
				t.Errorf("logged %q, want %q", got, want)
			}
		})
	}
}

func TestConfigurationThatCannotBeReadIsNamed(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"no such file":   {filepath.Join(t.TempDir(), "none.yaml"), "read log configuration"},
		"no YAML":        {write(t, "{"), "parse log configuration"},
		"no such level":  {write(t, "logLevel: loud"), "use debug, info, warn, error or fatal"},
		"no such format": {write(t, "logFormat: xml"), "use json or console"},
	} {
		t.Run(name, func(t *testing.T) {
			err := logging.New(io.Discard).FollowFile(test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.file) {
				t.Errorf("got %v, want %q of %s", err, test.want, test.file)
			}
		})
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log-config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
