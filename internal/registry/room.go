package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"

	"kyma-project.io/serverless/internal/volume"
)

// room refuses uploads for which the volume has no room, while all else goes
// on: pulls, deletions, and the ends of pushes whose layers are here.
type room struct {
	next    http.Handler
	driver  storagedriver.StorageDriver
	measure func() (volume.Usage, error)
}

const (
	// uploads is in the path of each request that is part of one.
	uploads = "/blobs/uploads/"
	// patience is how many bytes are read of an upload that is refused.
	patience = 1 << 30
)

// ServeHTTP implements http.Handler.
func (r *room) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch request.Method {
	case http.MethodPost, http.MethodPatch, http.MethodPut:
		r.write(w, request)
	default:
		r.next.ServeHTTP(w, request)
	}
}

func (r *room) write(w http.ResponseWriter, request *http.Request) {
	body := &roomyBody{ReadCloser: request.Body, full: r.full}
	answer := &roomyAnswer{ResponseWriter: w, body: body.ReadCloser, full: r.full}
	upload := strings.Contains(request.URL.Path, uploads)
	// A layer that is in another repository takes no room.
	begins := request.Method == http.MethodPost && !request.URL.Query().Has("mount")
	sends := request.Method != http.MethodPost && request.ContentLength != 0
	if usage, full := r.full(); full && upload && (begins || sends) {
		answer.refuse(usage)
		return
	}
	if upload {
		request.Body = body
	}
	r.next.ServeHTTP(answer, request)
	if answer.refused && body.read {
		// Nobody goes on with it, and it would take the room for hours.
		r.drop(request.Context(), request.URL.Path)
	}
}

// full tells whether there is no more room. A volume that can't be measured is
// for those to tell who write to it.
func (r *room) full() (volume.Usage, bool) {
	usage, err := r.measure()
	return usage, err == nil && usage.IsFull()
}

// drop deletes what was uploaded in part. Who may upload to the repository has
// been checked, or nothing would have been read.
func (r *room) drop(ctx context.Context, url string) {
	repository, id, found := strings.Cut(strings.TrimPrefix(url, "/v2/"), uploads)
	if !found || id == "" || strings.Contains(id, "/") {
		return
	}
	dir := path.Join("/docker/registry/v2/repositories", repository, "_uploads", id)
	if err := r.driver.Delete(context.WithoutCancel(ctx), dir); err != nil {
		slog.ErrorContext(ctx, "upload not deleted for which there was no room", "error", err, "repository", repository)
	}
}

// roomyBody ends an upload when there is no more room.
type roomyBody struct {
	io.ReadCloser
	full func() (volume.Usage, bool)
	read bool
}

// Read implements io.Reader.
func (b *roomyBody) Read(into []byte) (int, error) {
	if usage, full := b.full(); full {
		return 0, fmt.Errorf("no room for the upload: %s", usage.Describe())
	}
	n, err := b.ReadCloser.Read(into)
	b.read = b.read || n > 0
	return n, err
}

// roomyAnswer says why a write failed, if that was for want of room: the
// distribution project would call it an unknown error.
type roomyAnswer struct {
	http.ResponseWriter
	body    io.Reader
	full    func() (volume.Usage, bool)
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (a *roomyAnswer) WriteHeader(status int) {
	if status >= http.StatusInternalServerError {
		if usage, full := a.full(); full {
			a.refuse(usage)
			return
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *roomyAnswer) Write(text []byte) (int, error) {
	if a.refused {
		return len(text), nil
	}
	return a.ResponseWriter.Write(text)
}

// refuse answers in the words of the registry protocol. A client that still
// sends would not hear them.
func (a *roomyAnswer) refuse(usage volume.Usage) {
	a.refused = true
	_, _ = io.CopyN(io.Discard, a.body, patience)
	type failure struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	a.Header().Set("Content-Type", "application/json")
	a.Header().Del("Content-Length")
	a.ResponseWriter.WriteHeader(http.StatusInsufficientStorage)
	_ = json.NewEncoder(a.ResponseWriter).Encode(map[string][]failure{"errors": {{
		Code: "DENIED", Message: usage.Describe(),
	}}})
}
