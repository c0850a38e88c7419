package image_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kyma-project.io/serverless/internal/image"
)

func isHandshake(a answer) bool { return a.path == "/v2/" }

func TestRegistryIsAskedOnceHowItWantsToBeTalkedTo(t *testing.T) {
	server := start(t)
	base := server.base(t)
	server.forget()
	for _, repository := range []string{"shop__orders", "shop__invoices"} {
		if _, err := server.client.Find(t.Context(), repository, "tag1"); err != nil {
			t.Fatal(err)
		}
		server.assemble(t, repository, "tag1", base, "main = 1", "")
	}
	if handshakes := server.count(isHandshake); handshakes != 0 {
		t.Errorf("asked %d times after the first", handshakes)
	}
}

func TestRegistryIsAskedAgainAfterAFailure(t *testing.T) {
	server := start(t)
	base := server.base(t)
	source, err := image.FilesLayer(functionDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	server.lose(t)
	if _, err := server.client.Assemble(t.Context(), "shop__orders", "tag1", image.Parts{Base: base, Source: source}); err == nil {
		t.Fatal("assembled on a base that is lost")
	}
	server.forget()
	if _, err := server.client.Find(t.Context(), "shop__orders", "tag1"); err != nil {
		t.Fatal(err)
	}
	if server.count(isHandshake) == 0 {
		t.Error("not asked again")
	}
}

// As with the address of a Service that the node doesn't know yet.
func TestRegistryIsConnectedAnewAfterAnotherServerAnswered(t *testing.T) {
	server := start(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	var leadsTo atomic.Value
	leadsTo.Store(strings.TrimPrefix(other.URL, "http://"))
	client, err := image.NewRegistry(image.Location{Push: forward(t, &leadsTo), Username: "user", Password: "secret", PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	find := func() error {
		_, err := client.Find(t.Context(), "shop__orders", "tag1")
		return err
	}
	if _, is := errors.AsType[*image.UnavailableError](find()); !is {
		t.Fatal("another server was taken for the registry")
	}
	leadsTo.Store(server.host)
	for deadline := time.Now().Add(20 * time.Second); find() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still: %v", find())
		}
	}
}

// forward takes connections to where leadsTo says when they are made, and
// returns its address.
func forward(t *testing.T, leadsTo *atomic.Value) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", leadsTo.Load().(string))
			if err != nil {
				near.Close()
				continue
			}
			for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					defer ends[0].Close()
					_, _ = io.Copy(ends[0], ends[1])
				}()
			}
		}
	}()
	return listener.Addr().String()
}

func TestNobodyWaitsForARegistryThatHangsFromTheStart(t *testing.T) {
	goOn := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-goOn }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(goOn) })
	client, err := image.NewRegistry(image.Location{Push: strings.TrimPrefix(server.URL, "http://"), PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	// Those who come at once wait a moment together, others not at all.
	for range 2 {
		answers := make(chan error, 20)
		for range 20 {
			go func() {
				_, err := client.Find(t.Context(), "shop__orders", "tag1")
				answers <- err
			}()
		}
		for range 20 {
			select {
			case err := <-answers:
				if _, is := errors.AsType[*image.UnavailableError](err); !is {
					t.Errorf("got %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("a caller waits for the registry")
			}
		}
	}
}

func TestNobodyElseWaitsForARegistryThatFailedAndHangs(t *testing.T) {
	var hangs, tried atomic.Bool
	waits, goOn := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		if hangs.Load() && tried.CompareAndSwap(false, true) {
			close(waits)
			<-goOn
		}
		response.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	client, err := image.NewRegistry(image.Location{Push: strings.TrimPrefix(server.URL, "http://"), PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	find := func() error {
		_, err := client.Find(t.Context(), "shop__orders", "tag1")
		return err
	}
	var unavailable *image.UnavailableError
	if err := find(); !errors.As(err, &unavailable) {
		t.Fatalf("a registry that fails: %v", err)
	}

	hangs.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !tried.Load() && t.Context().Err() == nil {
			_ = find() // at first it has just been tried
		}
	}()
	select {
	case <-waits:
	case <-time.After(30 * time.Second):
		t.Fatal("the registry was not tried again")
	}
	for range 20 {
		answered := make(chan error, 1)
		go func() { answered <- find() }()
		select {
		case err := <-answered:
			if !errors.As(err, &unavailable) {
				t.Errorf("while another waits: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("another caller waits too")
		}
	}
	close(goOn)
	<-ended
}
