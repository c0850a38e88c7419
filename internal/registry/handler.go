package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"kyma-project.io/serverless/internal/collection"
	"kyma-project.io/serverless/internal/volume"
)

// Options is what a registry needs to answer requests.
type Options struct {
	// Storage is the directory that holds blobs and manifests. It must be
	// writable; it is made if it is missing.
	Storage string

	// CredentialsDir holds the files username and password, see Credentials.
	CredentialsDir string

	// Tokens knows the Pods of builds; nil if none may push.
	Tokens *Tokens

	// HTTPSecretFile holds the secret that signs the state of an upload. If it
	// is empty a random secret is made: then an upload that spans a restart
	// starts again.
	HTTPSecretFile string

	// Now tells the time by which content is old enough to be collected;
	// time.Now if it is nil.
	Now func() time.Time

	// Measure tells what the storage's volume has; volume.Measure if it is nil.
	Measure func() (volume.Usage, error)

	// Report is told how full the volume is, when that is worth saying, if the
	// registry is run by Serve. Nobody is told if it is nil.
	Report func(context.Context, volume.State) error

	// Metrics counts requests in Prometheus' default registry. Its collectors
	// have fixed names, so only one registry of a process can have it.
	Metrics bool
}

// storageThreads is how many operations on the storage run at once.
const storageThreads = 100

func (o Options) now() func() time.Time {
	if o.Now != nil {
		return o.Now
	}
	return time.Now
}

func (o Options) measure() (volume.Usage, error) {
	if o.Measure != nil {
		return o.Measure()
	}
	return volume.Measure(o.Storage)
}

// NewHandler returns a registry that answers below /v2/ with authentication,
// and to probes at / and /healthz without. Its background work ends with ctx.
func NewHandler(ctx context.Context, options Options) (http.Handler, error) {
	if err := prepareStorage(options.Storage); err != nil {
		return nil, err
	}
	credentials, err := LoadCredentials(options.CredentialsDir)
	if err != nil {
		return nil, err
	}
	driver := collection.NewDriver(filesystem.New(filesystem.DriverParameters{RootDirectory: options.Storage, MaxThreads: storageThreads}), options.now())
	access := &accessController{credentials: credentials, tokens: options.Tokens, logger: slog.Default()}
	config, err := configure(options, driver, access)
	if err != nil {
		return nil, err
	}
	app, err := newApp(ctx, config)
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("/v2/", &room{next: app, driver: driver, measure: options.measure})
	mux.Handle("POST "+collection.Path, &collectionHandler{access: access, collector: collection.NewCollector(driver), measure: options.measure})
	mux.HandleFunc("GET /{$}", alive)
	mux.HandleFunc("GET /healthz", alive)
	return mux, nil
}

func alive(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// configure maps our options to the distribution project's configuration.
func configure(options Options, driver *collection.Driver, access *accessController) (*configuration.Configuration, error) {
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			storageName: configuration.Parameters{storageName: driver},
			// Images that no Function refers to any more are deleted.
			"delete": configuration.Parameters{"enabled": true},
			// What builds that were ended left in part. No build takes so long.
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{
				"enabled": true, "age": "2h", "interval": "1h", "dryrun": false,
			}},
		},
		Auth: configuration.Auth{
			accessControllerName: configuration.Parameters{accessControllerName: access},
		},
	}
	config.HTTP.Debug.Prometheus.Enabled = options.Metrics
	if options.HTTPSecretFile != "" {
		secret, err := readSecret(options.HTTPSecretFile)
		if err != nil {
			return nil, fmt.Errorf("load HTTP secret: %w; mount a Secret with any random value there", err)
		}
		config.HTTP.Secret = string(secret)
	}
	return config, nil
}

// newApp returns as an error what the distribution project panics with when
// it cannot work with its configuration.
func newApp(ctx context.Context, config *configuration.Configuration) (app *handlers.App, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("configure registry: %v", reason)
		}
	}()
	return handlers.NewApp(ctx, config), nil
}

// prepareStorage finds out now, with a message that helps, what the first push
// would run into.
func prepareStorage(dir string) error {
	if dir == "" {
		return errors.New("open registry storage: no directory given; name one")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("open registry storage: %w; mount a writable volume there", err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if errors.Is(err, syscall.ENOSPC) {
		// All but uploads goes on.
		return nil
	}
	if err != nil {
		return fmt.Errorf("open registry storage: %w; user %d must be able to write there: set the pod's fsGroup",
			err, os.Getuid())
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
