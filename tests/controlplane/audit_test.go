package controlplane

import (
	"os"
	"testing"
	"time"
)

const auditLog = `{"verb":"get","requestReceivedTimestamp":"2026-01-01T00:00:09.9Z","objectRef":{"resource":"services"}}
{"verb":"patch","requestReceivedTimestamp":"2026-01-01T00:00:10Z","objectRef":{"resource":"functions","subresource":"status"}}
{"verb":"update","requestReceivedTimestamp":"2026-01-01T00:00:11Z","objectRef":{"resource":"leases"}}
{"verb":"watch","requestReceivedTimestamp":"2026-01-01T00:00:12Z","objectRef":{"resource":"pods"}}
{"verb":"create","requestReceivedTimestamp":"2026-01-01T00:00:20Z","objectRef":{"resource":"events"}}
{"verb":"cre`

func TestRequestsOfATimeAreRead(t *testing.T) {
	plane := &ControlPlane{config: Config{Dir: t.TempDir()}}
	if err := os.WriteFile(plane.auditLog(), []byte(auditLog), 0o600); err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 1, 1, 0, 0, 10, 0, time.UTC)
	requests, err := plane.Requests(since, since.Add(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		kind           string
		isWrite, lease bool
	}{{"patch functions/status", true, false}, {"update leases", true, true}, {"watch pods", false, false}}
	if len(requests) != len(want) {
		t.Fatalf("%d requests, want %d: %v", len(requests), len(want), requests)
	}
	for i, request := range requests {
		if request.Kind() != want[i].kind || request.IsWrite() != want[i].isWrite || request.IsLease() != want[i].lease {
			t.Errorf("%s: write %v, lease %v; want %+v", request.Kind(), request.IsWrite(), request.IsLease(), want[i])
		}
	}
}
