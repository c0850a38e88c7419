package status

import (
	"reflect"
	"testing"
	"time"
)

func TestEventsMakeTheStatus(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var s Status
	s.Apply(Event{Begin: "control plane"}, began)
	s.Apply(Event{Component: &Component{Name: "etcd"}}, began)
	s.Apply(Event{Finish: "control plane"}, began.Add(2*time.Second))
	s.Apply(Event{Component: &Component{Name: "etcd", Exited: "exit code 1"}}, began)
	s.Apply(Event{Ready: true}, began)

	want := Status{
		Steps:      []Step{{Name: "control plane", Started: began, Done: true, Took: 2 * time.Second}},
		Components: []Component{{Name: "etcd", Exited: "exit code 1"}},
		Ready:      true,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("status is %+v, want %+v", s, want)
	}

	dir := t.TempDir()
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	if read, err := Read(dir); err != nil || !reflect.DeepEqual(*read, want) {
		t.Errorf("read %+v, %v", read, err)
	}
}
