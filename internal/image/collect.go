package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"kyma-project.io/serverless/internal/collection"
)

// longestAnswer is read of what the registry says of a collection.
const longestAnswer = 4 << 10

// Collect has the module's own registry delete what the listing doesn't have.
// It takes as long as that takes: the context bounds it.
func (r *Registry) Collect(ctx context.Context, listing collection.Listing) (collection.Result, error) {
	text, err := json.Marshal(listing)
	if err != nil {
		return collection.Result{}, fmt.Errorf("encode listing of images: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.location.Push+collection.Path, bytes.NewReader(text))
	if err != nil {
		return collection.Result{}, fmt.Errorf("ask registry %s for a collection: %w", r.location.Push, err)
	}
	request.SetBasicAuth(r.location.Username, r.location.Password)
	answer, err := (&http.Client{Transport: remote.DefaultTransport}).Do(request)
	if err != nil {
		return collection.Result{}, &UnavailableError{Registry: r.location.Push, Err: err}
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	if err != nil {
		return collection.Result{}, &UnavailableError{Registry: r.location.Push, Err: err}
	}
	if answer.StatusCode != http.StatusOK {
		return collection.Result{}, fmt.Errorf("registry %s did not collect: %s: %s", r.location.Push, answer.Status, strings.TrimSpace(string(content)))
	}
	var result collection.Result
	if err := json.Unmarshal(content, &result); err != nil {
		return collection.Result{}, fmt.Errorf("read what registry %s collected: %w", r.location.Push, err)
	}
	return result, nil
}
