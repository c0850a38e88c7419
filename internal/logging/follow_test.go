package logging_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kyma-project.io/serverless/internal/logging"
)

// mounted is a ConfigMap as the kubelet mounts it: the file is a link into
// `..data`, which is a link to the directory of the present content.
type mounted struct {
	dir     string
	version string
}

func mount(t *testing.T, text string) *mounted {
	t.Helper()
	m := &mounted{dir: t.TempDir()}
	m.renew(t, text)
	if err := os.Symlink(filepath.Join("..data", "log-config.yaml"), m.file()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mounted) file() string { return filepath.Join(m.dir, "log-config.yaml") }

// renew swaps the content as the kubelet does: all at once, by a rename.
func (m *mounted) renew(t *testing.T, text string) {
	t.Helper()
	former := m.version
	m.version += "x"
	next := ".." + m.version
	steps := []func() error{
		func() error { return os.Mkdir(filepath.Join(m.dir, next), 0o700) },
		func() error { return os.WriteFile(filepath.Join(m.dir, next, "log-config.yaml"), []byte(text), 0o600) },
		func() error { return os.Symlink(next, filepath.Join(m.dir, "..data_tmp")) },
		func() error { return os.Rename(filepath.Join(m.dir, "..data_tmp"), filepath.Join(m.dir, "..data")) },
	}
	if former != "" {
		steps = append(steps, func() error { return os.RemoveAll(filepath.Join(m.dir, ".."+former)) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// output is what was logged, whoever writes.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(text)
}

// take returns what was logged since it was called last.
func (o *output) take() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	defer o.text.Reset()
	return o.text.String()
}

func TestChangesApplyToLoggersInUse(t *testing.T) {
	config, out := mount(t, "logLevel: info\nlogFormat: json\n"), &output{}
	log := logging.New(out)
	if err := log.FollowFile(config.file()); err != nil {
		t.Fatal(err)
	}
	logger := log.WithName("functions").WithValues("function", "a/b")
	logger.V(1).Info("one")
	logger.Info("two")
	if got := out.take(); strings.Contains(got, "one") || !strings.Contains(got, `"msg":"two","function":"a/b"`) {
		t.Errorf("JSON from info is %q", got)
	}

	config.renew(t, "logLevel: debug\nlogFormat: console\n")
	log.Reload()
	logger.V(1).Info("three")
	if got := out.take(); !strings.Contains(got, "log configuration changed") || !strings.Contains(got, "three\t{\"function\": \"a/b\"}") {
		t.Errorf("text from debug is %q", got)
	}

	config.renew(t, "logLevel: error\nlogFormat: json\n")
	log.Reload()
	logger.Info("four")
	logger.Error(nil, "five")
	if got := out.take(); strings.Contains(got, "four") || !strings.Contains(got, `"msg":"five","function":"a/b"`) {
		t.Errorf("JSON from error is %q", got)
	}
}

func TestConfigurationThatCannotBeUsedChangesNothingAndIsReportedOnce(t *testing.T) {
	config, out := mount(t, "logLevel: debug\n"), &output{}
	log := logging.New(out)
	if err := log.FollowFile(config.file()); err != nil {
		t.Fatal(err)
	}
	config.renew(t, "logLevel: loud\n")
	log.Reload()
	log.Reload()
	if got := out.take(); strings.Count(got, "stays as it was") != 1 || !strings.Contains(got, "use debug, info, warn, error or fatal") {
		t.Errorf("reported %q", got)
	}
	if !log.V(1).Enabled() {
		t.Error("the level changed")
	}
	config.renew(t, "logLevel: info\n")
	log.Reload()
	if log.V(1).Enabled() {
		t.Error("the corrected level does not apply")
	}
}

func TestFileIsFollowedUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := mount(t, "logLevel: info\n")
		log := logging.New(&output{})
		if err := log.FollowFile(config.file()); err != nil {
			t.Fatal(err)
		}
		go func() { _ = log.Start(t.Context()) }()
		config.renew(t, "logLevel: debug\n")
		time.Sleep(2 * logging.Interval)
		if !log.V(1).Enabled() {
			t.Error("the change does not apply")
		}
	})
}
