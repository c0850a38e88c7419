package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"kyma-project.io/serverless/internal/referrer"
)

// pushWith pushes an image and what is attached to it. Both at once, since
// neither needs the other, and an edit waits for both; and the tag last, since
// an image that has it is never put together again.
func (r *Registry) pushWith(ctx context.Context, repository, tag string, image v1.Image, artifacts []referrer.Artifact) error {
	if len(artifacts) == 0 {
		return r.push(ctx, repository, tag, image)
	}
	reference, err := r.tag(repository, tag)
	if err != nil {
		return err
	}
	session, err := r.session(ctx)
	if err != nil {
		return err
	}
	subject, err := referrer.Describe(image)
	if err != nil {
		return fmt.Errorf("describe image %s: %w", reference, err)
	}
	attached := make(chan error, 1)
	go func() {
		pusher, err := remote.NewPusher(session.writing(ctx)...)
		if err == nil {
			err = referrer.Attach(ctx, pusher, reference.Context(), subject, artifacts...)
		}
		attached <- err
	}()
	err = remote.Push(reference.Context().Digest(subject.Digest.String()), image, session.writing(ctx)...)
	if about := <-attached; !isRefused(about) {
		err = errors.Join(err, about)
	}
	if err == nil {
		err = remote.Tag(reference, image, session.writing(ctx)...)
	}
	if err != nil {
		return r.unavailable(err)
	}
	return nil
}

// isRefused tells whether a registry takes nothing but images: then there is
// nothing attached, but Functions run.
func isRefused(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
