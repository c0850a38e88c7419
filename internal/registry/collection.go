package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"

	"kyma-project.io/serverless/internal/access"
	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/volume"
)

// largestListing is far above that of 10,000 Functions with all their revisions.
const largestListing = 64 << 20

// storageName is what the distribution project's configuration calls our
// storage; its factory finds the driver in the parameters under the same name.
const storageName = "serverless"

func init() { factory.Register(storageName, storageFactory{}) }

type storageFactory struct{}

// Create implements factory.StorageDriverFactory.
func (storageFactory) Create(_ context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	driver, ok := parameters[storageName].(*collection.Driver)
	if !ok {
		return nil, errors.New("the configuration has no storage")
	}
	return driver, nil
}

// collectionHandler answers a collection.Listing with a collection.Result.
type collectionHandler struct {
	access    *accessController
	collector *collection.Collector
	measure   func() (volume.Usage, error)
}

// ServeHTTP implements http.Handler.
func (h *collectionHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	if !access.Identify(access.Credentials{Username: username, Password: password}, h.access.credentials.Current()).IsModule() {
		challenge{}.SetHeaders(r, w)
		http.Error(w, "log in with the module's credentials", http.StatusUnauthorized)
		return
	}
	var listing collection.Listing
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestListing)).Decode(&listing); err != nil {
		http.Error(w, fmt.Sprintf("decode listing: %v", err), http.StatusBadRequest)
		return
	}
	if listing.Images == nil {
		http.Error(w, "the listing has no images: all would go; send an empty list if there are none", http.StatusBadRequest)
		return
	}
	if listing.Age < 0 || listing.Grace < 0 {
		http.Error(w, "age and grace can't be negative", http.StatusBadRequest)
		return
	}
	result, err := h.collector.Collect(r.Context(), listing)
	if errors.Is(err, collection.ErrBusy) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if err != nil {
		slog.ErrorContext(r.Context(), "collection broken off", "error", err, "manifests", result.Manifests, "blobs", result.Blobs)
		http.Error(w, "the storage failed; the registry's log says more", http.StatusInternalServerError)
		return
	}
	if usage, err := h.measure(); err == nil {
		result.Low = usage.IsLow()
	}
	slog.InfoContext(r.Context(), "collected", "manifests", result.Manifests, "layers", result.Layers, "blobs", result.Blobs, "bytes", result.Bytes)
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(result); err != nil {
		slog.DebugContext(r.Context(), "answer to a collection not sent", "error", err)
	}
}
