package signature

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
)

// maxPayload is far more than a payload has.
const maxPayload = 1 << 20

// Verify tells whether the artifact is signed with the key. The error names
// what is wrong with each signature that there is.
func Verify(ctx context.Context, from oras.ReadOnlyTarget, artifact ocispec.Descriptor, key *ecdsa.PublicKey) error {
	layers, err := signatures(ctx, from, artifact)
	if errors.Is(err, errdef.ErrNotFound) || err == nil && len(layers) == 0 {
		return fmt.Errorf("verify %s: it is not signed: there is no %s beside it", artifact.Digest, Tag(artifact))
	}
	if err != nil {
		return fmt.Errorf("read signatures of %s: %w", artifact.Digest, err)
	}
	var wrong []error
	for _, layer := range layers {
		err := verifyLayer(ctx, from, layer, artifact, key)
		if err == nil {
			return nil
		}
		wrong = append(wrong, fmt.Errorf("signature %s of %s: %w", layer.Digest, artifact.Digest, err))
	}
	return errors.Join(wrong...)
}

func verifyLayer(ctx context.Context, from oras.ReadOnlyTarget, layer, artifact ocispec.Descriptor, key *ecdsa.PublicKey) error {
	if layer.MediaType != mediaTypePayload {
		return fmt.Errorf("its media type is %q, not cosign's %q", layer.MediaType, mediaTypePayload)
	}
	if layer.Size > maxPayload {
		return fmt.Errorf("its payload has %d bytes, more than %d", layer.Size, maxPayload)
	}
	text, err := content.FetchAll(ctx, from, layer)
	if err != nil {
		return fmt.Errorf("read its payload: %w", err)
	}
	made, err := base64.StdEncoding.DecodeString(layer.Annotations[annotationSignature])
	if err != nil {
		return fmt.Errorf("read its annotation %s: %w", annotationSignature, err)
	}
	// First who says it, then what is said.
	if !ecdsa.VerifyASN1(key, digest(text), made) {
		return errors.New("it was not made with this key, or its payload was changed since")
	}
	var signed payload.Cosign
	if err := signed.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("read its payload: %w", err)
	}
	if signed.Image.DigestStr() != artifact.Digest.String() {
		return fmt.Errorf("it is of another artifact, %s", signed.Image.DigestStr())
	}
	return nil
}
