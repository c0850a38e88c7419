package image_test

import (
	"testing"

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
