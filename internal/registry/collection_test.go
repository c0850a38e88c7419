package registry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/registry"
)

func TestOnlyTheModuleHasImagesCollected(t *testing.T) {
	var passed atomic.Int64
	handler, err := registry.NewHandler(t.Context(), registry.Options{
		Storage: t.TempDir(), CredentialsDir: newCredentials(t),
		Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	image := push(t, host+"/shop__orders:v1", newImage(t))
	passed.Store(int64(time.Hour))

	post := func(login access.Credentials, body string) int {
		request, err := http.NewRequest(http.MethodPost, server.URL+collection.Path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(login.Username, login.Password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	module := access.Credentials{Username: "user", Password: "secret"}
	for name, test := range map[string]struct {
		login access.Credentials
		body  string
		want  int
	}{
		"nobody":                 {access.Credentials{}, `{"images": []}`, http.StatusUnauthorized},
		"a namespace":            {access.ForNamespace("shop", "secret"), `{"images": []}`, http.StatusUnauthorized},
		"without a listing":      {module, `{}`, http.StatusBadRequest},
		"with half a listing":    {module, `{"images": [`, http.StatusBadRequest},
		"with one of tomorrow's": {module, `{"images": [], "age": -1}`, http.StatusBadRequest},
	} {
		if got := post(test.login, test.body); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	if _, err := remote.Head(image, user); err != nil {
		t.Fatalf("pull: %v", err)
	}
	passed.Store(int64(2 * time.Hour))
	if got := post(module, `{"images": []}`); got != http.StatusOK {
		t.Errorf("collect: %d", got)
	}
	if _, err := remote.Head(image, user); statusOf(err) != http.StatusNotFound {
		t.Errorf("pull what was collected: %v, want 404", err)
	}
}
