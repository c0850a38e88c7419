package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// auditPolicy logs that one user asked, of what kind of thing, and nothing of
// the content; of other users it logs nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
    users: [%q]
  - level: None
`

// Request is one that the audited user sent.
type Request struct {
	Verb      string    `json:"verb"`
	UserAgent string    `json:"userAgent"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	Object    struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
}

// IsWrite tells whether the request is one that may change something.
func (r Request) IsWrite() bool { return !slices.Contains([]string{"get", "list", "watch"}, r.Verb) }

// IsLease tells whether the request is one of leader election.
func (r Request) IsLease() bool { return r.Object.Resource == "leases" }

// Kind is what was asked for, such as "patch functions/status".
func (r Request) Kind() string {
	kind := r.Verb + " " + r.Object.Resource
	if r.Object.Subresource != "" {
		kind += "/" + r.Object.Subresource
	}
	return kind
}

func (p *ControlPlane) auditLog() string { return filepath.Join(p.config.Dir, "audit.log") }

func (p *ControlPlane) configureAudit() error {
	policy := filepath.Join(p.config.Dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, fmt.Appendf(nil, auditPolicy, p.config.AuditedUser), 0o644); err != nil {
		return fmt.Errorf("write audit policy: %w", err)
	}
	if err := os.WriteFile(p.auditLog(), nil, 0o644); err != nil {
		return fmt.Errorf("empty audit log: %w", err)
	}
	p.environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", p.auditLog()).
		// One file: nothing that was counted from is moved away.
		Set("audit-log-maxsize", "100000")
	return nil
}

// Requests are those which the audited user sent and got an answer to between
// the times.
func (p *ControlPlane) Requests(since, until time.Time) ([]Request, error) {
	file, err := os.Open(p.auditLog())
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer file.Close()
	var found []Request
	for decoder := json.NewDecoder(bufio.NewReader(file)); ; {
		var request Request
		if err := decoder.Decode(&request); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return found, nil // the last line may be on its way
		} else if err != nil {
			return nil, fmt.Errorf("parse audit log %s: %w", p.auditLog(), err)
		}
		if !request.Received.Before(since) && request.Received.Before(until) {
			found = append(found, request)
		}
	}
}
