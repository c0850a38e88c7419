package collection_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	_ "github.com/distribution/distribution/v3/manifest/ocischema"
	"github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"kyma-project.io/serverless/internal/collection"
)

// timeout is how long a reconciliation may take from its first look at the
// registry to the reference; grace is what the collector is told.
const (
	timeout = 2 * time.Minute
	grace   = timeout + 30*time.Second
)

var errCrash = errors.New("the registry was killed")

// world is a registry's real storage, and a cluster that refers to its images.
// Time passes as the test says.
type world struct {
	*testing.T
	random *rand.Rand
	now    time.Time
	disk   *disk
	// registry is the one that runs, raw a look at its storage that nobody notices.
	registry, raw distribution.Namespace
	collector     *collection.Collector
	// references are the cluster's.
	references map[image]bool
	// attached are the lists of what was attached to images.
	attached map[image]image
}

type image struct {
	repository string
	digest     digest.Digest
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{T: t, random: rand.New(rand.NewPCG(seed, 0)), now: time.Now(), references: map[image]bool{}, attached: map[image]image{}}
	real := filesystem.New(filesystem.DriverParameters{RootDirectory: t.TempDir(), MaxThreads: 25})
	w.disk = &disk{StorageDriver: real}
	w.raw = w.serve(real)
	w.start()
	return w
}

// start runs a registry on what is there.
func (w *world) start() {
	driver := collection.NewDriver(w.disk, func() time.Time { return w.now })
	w.registry, w.collector = w.serve(driver), collection.NewCollector(driver)
}

func (w *world) serve(driver storagedriver.StorageDriver) distribution.Namespace {
	w.Helper()
	registry, err := storage.NewRegistry(w.Context(), driver, storage.EnableDelete)
	if err != nil {
		w.Fatal(err)
	}
	return registry
}

// disk lets others go on while the collector looks around, and breaks off its deletions.
type disk struct {
	storagedriver.StorageDriver
	meanwhile func()
	crashes   func() bool
}

func (d *disk) List(ctx context.Context, path string) ([]string, error) {
	if d.meanwhile != nil {
		d.meanwhile()
	}
	return d.StorageDriver.List(ctx, path)
}

func (d *disk) Delete(ctx context.Context, path string) error {
	if d.crashes != nil && d.crashes() {
		return errCrash
	}
	return d.StorageDriver.Delete(ctx, path)
}

func (w *world) open(in distribution.Namespace, name string) distribution.Repository {
	w.Helper()
	named, err := reference.WithName(name)
	if err != nil {
		w.Fatal(err)
	}
	opened, err := in.Repository(w.Context(), named)
	if err != nil {
		w.Fatal(err)
	}
	return opened
}

// upload puts the content into the repository, unless it is there.
func (w *world) upload(to, content string) error {
	blobs := w.open(w.registry, to).Blobs(w.Context())
	if _, err := blobs.Stat(w.Context(), digest.FromString(content)); err == nil {
		return nil
	}
	_, err := blobs.Put(w.Context(), "application/octet-stream", []byte(content))
	return err
}

// mount is an upload for which the content is taken from another repository, if it is there.
func (w *world) mount(to, from, content string) error {
	blobs := w.open(w.registry, to).Blobs(w.Context())
	source, err := reference.WithDigest(w.open(w.registry, from).Named(), digest.FromString(content))
	if err != nil {
		return err
	}
	writer, err := blobs.Create(w.Context(), storage.WithMountFrom(source))
	if errors.As(err, new(distribution.ErrBlobMounted)) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = writer.Cancel(w.Context())
	return w.upload(to, content)
}

// tag puts a manifest of the layers, whose content is there.
func (w *world) tag(to, tag, config string, layers ...string) (digest.Digest, error) {
	descriptor, err := w.put(to, v1.MediaTypeImageManifest, manifestOf(config, layers...))
	if err != nil {
		return "", err
	}
	return descriptor.Digest, w.name(to, tag, descriptor)
}

func manifestOf(config string, layers ...string) v1.Manifest {
	manifest := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: describe(v1.MediaTypeImageConfig, config)}
	manifest.SchemaVersion = 2
	for _, layer := range layers {
		manifest.Layers = append(manifest.Layers, describe(v1.MediaTypeImageLayer, layer))
	}
	return manifest
}

// subjectOf is the image of the layers, which may be yet to come.
func subjectOf(config string, layers ...string) v1.Descriptor {
	text, err := json.Marshal(manifestOf(config, layers...))
	if err != nil {
		panic(err)
	}
	return v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(text), Size: int64(len(text))}
}

// attach puts a manifest whose subject is the image of the layers.
func (w *world) attach(to, what, config string, layers ...string) (v1.Descriptor, error) {
	subject := subjectOf(config, layers...)
	content := what + " of " + subject.Digest.String()
	if err := errors.Join(w.upload(to, content), w.upload(to, "{}")); err != nil {
		return v1.Descriptor{}, err
	}
	manifest := v1.Manifest{
		MediaType: v1.MediaTypeImageManifest, ArtifactType: "application/" + what, Subject: &subject,
		Config: describe(v1.MediaTypeEmptyJSON, "{}"), Layers: []v1.Descriptor{describe("application/"+what, content)},
	}
	manifest.SchemaVersion = 2
	return w.put(to, v1.MediaTypeImageManifest, manifest)
}

// listReferrers tags the list of what is attached, as without the referrers API.
func (w *world) listReferrers(to string, attached []v1.Descriptor, config string, layers ...string) error {
	index := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: attached}
	index.SchemaVersion = 2
	descriptor, err := w.put(to, v1.MediaTypeImageIndex, index)
	if err != nil {
		return err
	}
	subject := image{to, subjectOf(config, layers...).Digest}
	w.attached[subject] = image{to, descriptor.Digest}
	return w.name(to, referrersTag(subject.digest), descriptor)
}

func referrersTag(of digest.Digest) string { return "sha256-" + of.Encoded() }

func (w *world) put(to, mediaType string, content any) (v1.Descriptor, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return v1.Descriptor{}, err
	}
	parsed, descriptor, err := distribution.UnmarshalManifest(mediaType, text)
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifests, err := w.open(w.registry, to).Manifests(w.Context())
	if err != nil {
		return v1.Descriptor{}, err
	}
	_, err = manifests.Put(w.Context(), parsed)
	return descriptor, err
}

func (w *world) name(in, tag string, descriptor v1.Descriptor) error {
	return w.open(w.registry, in).Tags(w.Context()).Tag(w.Context(), tag, descriptor)
}

func describe(mediaType, content string) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
}

// find is a request for a tagged image, as the controller makes it.
func (w *world) find(in, tag string) (digest.Digest, bool) {
	repository := w.open(w.registry, in)
	descriptor, err := repository.Tags(w.Context()).Get(w.Context(), tag)
	if err != nil {
		return "", false
	}
	manifests, err := repository.Manifests(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	_, err = manifests.Get(w.Context(), descriptor.Digest)
	return descriptor.Digest, err == nil
}

// pull reads all of an image.
func (w *world) pull(from distribution.Namespace, wanted image) error {
	repository := w.open(from, wanted.repository)
	manifests, err := repository.Manifests(w.Context())
	if err != nil {
		return err
	}
	manifest, err := manifests.Get(w.Context(), wanted.digest)
	if err != nil {
		return err
	}
	for _, part := range manifest.References() {
		if part.MediaType == v1.MediaTypeImageManifest {
			if err := w.pull(from, image{wanted.repository, part.Digest}); err != nil {
				return err
			}
			continue
		}
		content, err := repository.Blobs(w.Context()).Get(w.Context(), part.Digest)
		if err != nil {
			return err
		}
		if digest.FromBytes(content) != part.Digest {
			return errors.New("the content is another")
		}
	}
	return nil
}

// listing is of all references, begun at the time.
func (w *world) listing(references []image, begun time.Time) collection.Listing {
	listing := collection.Listing{Images: []string{}, Age: w.now.Sub(begun), Grace: grace}
	for _, one := range references {
		listing.Images = append(listing.Images, one.repository+"@"+one.digest.String())
	}
	return listing
}

func (w *world) all() []image {
	var all []image
	for one := range w.references {
		all = append(all, one)
	}
	// A run is the same for the same seed.
	slices.SortFunc(all, func(a, b image) int {
		return slices.Compare([]string{a.repository, a.digest.String()}, []string{b.repository, b.digest.String()})
	})
	return all
}

// isComplete checks that nothing which is referred to was lost.
func (w *world) isComplete(when string) {
	w.Helper()
	for _, one := range w.all() {
		if err := w.pull(w.raw, one); err != nil {
			w.Fatalf("%s: image %s@%s is referred to and can't be pulled: %v", when, one.repository, one.digest, err)
		}
		// Every image here has something attached before it has its tag.
		if err := w.pull(w.raw, w.attached[one]); err != nil {
			w.Fatalf("%s: image %s@%s is referred to and has lost what is attached to it: %v", when, one.repository, one.digest, err)
		}
		tagged, err := w.open(w.raw, one.repository).Tags(w.Context()).Get(w.Context(), referrersTag(one.digest))
		if err != nil || tagged.Digest != w.attached[one].digest {
			w.Fatalf("%s: the tag of what is attached to image %s@%s names %v: %v", when, one.repository, one.digest, tagged.Digest, err)
		}
	}
}

// blobs are what the storage holds.
func (w *world) blobs() map[digest.Digest]bool {
	w.Helper()
	found := map[digest.Digest]bool{}
	err := w.raw.Blobs().Enumerate(w.Context(), func(one digest.Digest) error { found[one] = true; return nil })
	if err != nil && !errors.As(err, new(storagedriver.PathNotFoundError)) {
		w.Fatal(err)
	}
	return found
}

// repositories are the directories of them.
func (w *world) repositories() []string {
	w.Helper()
	found, err := w.disk.StorageDriver.List(w.Context(), "/docker/registry/v2/repositories")
	if err != nil {
		w.Fatal(err)
	}
	return found
}

func (w *world) collect() collection.Result {
	w.Helper()
	result, err := w.collector.Collect(w.Context(), w.listing(w.all(), w.now))
	if err != nil {
		w.Fatal(err)
	}
	return result
}
