package certificate_test

import (
	"bytes"
	"crypto/x509"
	"maps"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/certificate"
)

const (
	day  = 24 * time.Hour
	name = "webhook.kyma-system.svc"
)

var (
	issuer = certificate.Issuer{Names: []string{name, name + ".cluster.local"}, AuthorityLifetime: 300 * day, ServerLifetime: 90 * day}
	start  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestWhatIsGoodStays(t *testing.T) {
	first := renew(t, issuer, nil, start)
	if first.Data == nil {
		t.Fatal("nothing was made for an empty Secret")
	}
	if want := start.Add(60 * day); !first.RenewAt.Equal(want) {
		t.Errorf("renewed at %s, want %s, when a third of the server's time is left", first.RenewAt, want)
	}
	again := renew(t, issuer, first.Data, first.RenewAt.Add(-time.Second))
	if again.Data != nil || !again.Server.Leaf.Equal(first.Server.Leaf) || !bytes.Equal(again.Authorities, first.Authorities) {
		t.Error("what was good was changed")
	}
}

func TestWhatIsWrongIsMadeAnew(t *testing.T) {
	good := renew(t, issuer, nil, start).Data
	other := renew(t, issuer, nil, start).Data
	with := func(key string, value []byte) map[string][]byte {
		changed := maps.Clone(good)
		changed[key] = value
		return changed
	}
	for description, test := range map[string]struct {
		stored        map[string][]byte
		issuer        certificate.Issuer
		keepAuthority bool
	}{
		"what an earlier implementation left": {stored: map[string][]byte{
			"server-cert.pem": good["server-cert.pem"], "server-key.pem": good["server-key.pem"]}},
		"an authority that is none":               {stored: with("ca-cert.pem", []byte("none"))},
		"an authority without its key":            {stored: with("ca-key.pem", nil)},
		"an authority that is only a server":      {stored: map[string][]byte{"ca-cert.pem": good["server-cert.pem"], "ca-key.pem": good["server-key.pem"]}},
		"a server certificate that is none":       {stored: with("server-cert.pem", []byte("none")), keepAuthority: true},
		"a server certificate without its key":    {stored: with("server-key.pem", nil), keepAuthority: true},
		"a server certificate of other authority": {stored: with("server-cert.pem", other["server-cert.pem"]), keepAuthority: true},
		"another name": {stored: good, keepAuthority: true,
			issuer: certificate.Issuer{Names: []string{"other.svc"}, AuthorityLifetime: 300 * day, ServerLifetime: 90 * day}},
	} {
		t.Run(description, func(t *testing.T) {
			if test.issuer.Names == nil {
				test.issuer = issuer
			}
			set := renew(t, test.issuer, test.stored, start)
			if set.Data == nil {
				t.Fatal("nothing was made anew")
			}
			if kept := bytes.Equal(set.Data["ca-key.pem"], good["ca-key.pem"]); kept != test.keepAuthority {
				t.Errorf("authority kept: %t, want %t", kept, test.keepAuthority)
			}
		})
	}
}

// Whatever server certificate was served last, clients which know the
// authorities of now or of the renewal before accept it, and the other way round.
func TestClientsNeverMeetAnAuthorityThatTheyDoNotKnow(t *testing.T) {
	now := start
	former := renew(t, issuer, nil, now)
	authorities := map[string]bool{string(former.Data["ca-key.pem"]): true}
	servers := 0
	for now.Before(start.Add(1500 * day)) {
		now = former.RenewAt
		set := renew(t, issuer, former.Data, now)
		if set.Data == nil {
			t.Fatalf("%s: nothing was renewed when it was due", now)
		}
		accept(t, former.Authorities, set.Server.Leaf, name, now)
		accept(t, set.Authorities, former.Server.Leaf, name, now)
		if set.Server.Leaf.NotAfter.After(former.Server.Leaf.NotAfter) {
			servers++
		}
		authorities[string(set.Data["ca-key.pem"])] = true
		former = set
	}
	if len(authorities) < 5 || servers < 15 {
		t.Errorf("%d authorities and %d renewals of the server in 1500 days", len(authorities), servers)
	}
	if count := bytes.Count(former.Authorities, []byte("BEGIN")); count > 2 {
		t.Errorf("%d authorities are trusted: expired ones stay", count)
	}
}

func renew(t *testing.T, issuer certificate.Issuer, stored map[string][]byte, now time.Time) certificate.Set {
	t.Helper()
	set, err := issuer.Renew(stored, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range issuer.Names {
		accept(t, set.Authorities, set.Server.Leaf, name, now)
	}
	return set
}

func accept(t *testing.T, authorities []byte, server *x509.Certificate, name string, now time.Time) {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		t.Fatal("no authorities")
	}
	if _, err := server.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now}); err != nil {
		t.Errorf("%s: %v", now, err)
	}
}
