package image

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/singleflight"
)

// ABILabel on a runtime's base image tells what dependency layers depend on:
// bases with equal values can share them.
const ABILabel = "io.kyma-project.serverless.runtime.abi"

// Base is a runtime's base image, copied into the Functions' registry.
type Base struct {
	// Digest of the image.
	Digest string
	// ABI is the value of the image's ABILabel, or the digest if it has none.
	ABI string

	tag string
}

// Platform is the platform of the images: the one of the program itself.
func Platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: goruntime.GOARCH} }

// Bases copies base images into Functions' registries, each once: whoever
// asks for a base that is being copied waits for that copy.
type Bases struct {
	// Foreign tells which references are not the module's own: they are read
	// without its credentials, which are not for whoever names an image. If it
	// is nil, none are.
	Foreign func(reference string) bool

	copies singleflight.Group
	mutex  sync.Mutex
	known  map[baseKey]Base
}

type baseKey struct{ registry, reference string }

// Ensure returns the base image that the reference names, after it has been
// copied into the registry. A reference is looked up once in the life of the
// process. When its own registry doesn't answer, an earlier copy does.
func (b *Bases) Ensure(ctx context.Context, registry *Registry, reference string) (Base, error) {
	key := baseKey{registry.location.Push, reference}
	if base, found := b.lookup(key); found {
		return base, nil
	}
	result, err, _ := b.copies.Do(key.registry+" "+key.reference, func() (any, error) {
		base, err := b.copy(ctx, registry, reference)
		if err != nil {
			return nil, err
		}
		b.mutex.Lock()
		defer b.mutex.Unlock()
		if b.known == nil {
			b.known = map[baseKey]Base{}
		}
		b.known[key] = base
		return base, nil
	})
	if err != nil {
		return Base{}, err
	}
	return result.(Base), nil
}

// PullReference ensures that the image which the reference names is in the
// registry, and returns how a node pulls that copy.
func (b *Bases) PullReference(ctx context.Context, registry *Registry, reference string) (string, error) {
	base, err := b.Ensure(ctx, registry, reference)
	if err != nil {
		return "", err
	}
	// Nobody else would notice that the registry has lost it: a Pod just waits.
	digest, err := registry.Find(ctx, runtimesRepository, base.tag)
	if err != nil {
		return "", err
	}
	if digest == "" {
		b.Forget(registry, reference)
		if base, err = b.Ensure(ctx, registry, reference); err != nil {
			return "", err
		}
	}
	return registry.PullReference(runtimesRepository, base.Digest), nil
}

// Forget makes the next Ensure look again, after the registry has lost the copy.
func (b *Bases) Forget(registry *Registry, reference string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.known, baseKey{registry.location.Push, reference})
}

func (b *Bases) lookup(key baseKey) (Base, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	base, found := b.known[key]
	return base, found
}

func (b *Bases) copy(ctx context.Context, registry *Registry, reference string) (Base, error) {
	tag := Key(reference, Platform().String())
	original, err := b.released(ctx, reference)
	if err != nil {
		copied, copyErr := registry.image(ctx, runtimesRepository, tag)
		if copyErr != nil {
			return Base{}, err
		}
		return baseOf(copied, tag)
	}
	if err := registry.push(ctx, runtimesRepository, tag, original); err != nil {
		return Base{}, err
	}
	return baseOf(original, tag)
}

func (b *Bases) released(ctx context.Context, reference string) (v1.Image, error) {
	parsed, err := name.ParseReference(reference)
	if err != nil {
		return nil, fmt.Errorf("parse runtime image reference %q: %w", reference, err)
	}
	var credentials authn.Keychain = authn.DefaultKeychain
	if b.Foreign != nil && b.Foreign(reference) {
		credentials = authn.NewMultiKeychain()
	}
	image, err := remote.Image(parsed, remote.WithContext(ctx), remote.WithPlatform(Platform()),
		remote.WithAuthFromKeychain(credentials), remote.WithTransport(boundedTransport))
	if err != nil {
		return nil, &UnavailableError{Registry: parsed.Context().RegistryStr(), Err: fmt.Errorf("get runtime image %s: %w", reference, err)}
	}
	return image, nil
}

func baseOf(image v1.Image, tag string) (Base, error) {
	digest, err := image.Digest()
	if err != nil {
		return Base{}, fmt.Errorf("digest runtime image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return Base{}, fmt.Errorf("read configuration of runtime image %s: %w", digest, err)
	}
	base := Base{Digest: digest.String(), ABI: config.Config.Labels[ABILabel], tag: tag}
	if base.ABI == "" {
		base.ABI = base.Digest
	}
	return base, nil
}
