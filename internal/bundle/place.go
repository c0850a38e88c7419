package bundle

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Repository is where a component is in a registry HOST[:PORT][/PATH].
func Repository(registry, component string) string {
	return registry + "/component-descriptors/" + component
}

// OpenRegistry returns a component's repository. Credentials come from the
// Docker configuration; a registry on this machine or in a private network is
// spoken to over plain HTTP, as lifecycle-manager does.
func OpenRegistry(registry, component string) (*remote.Repository, error) {
	return OpenRepository(Repository(registry, component))
}

// OpenRepository is OpenRegistry for a repository of any name.
func OpenRepository(reference string) (*remote.Repository, error) {
	if strings.Contains(reference, "://") {
		return nil, fmt.Errorf("open %s: give the registry as HOST[:PORT][/PATH], without a scheme", reference)
	}
	repository, err := remote.NewRepository(reference)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", reference, err)
	}
	host, err := name.NewRegistry(repository.Reference.Registry)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", reference, err)
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{DetectDefaultNativeStore: true})
	if err != nil {
		return nil, fmt.Errorf("read the Docker configuration: %w", err)
	}
	repository.PlainHTTP = host.Scheme() == "http"
	repository.Client = &auth.Client{
		Client: retry.DefaultClient, Cache: auth.NewCache(), Credential: credentials.Credential(store),
	}
	return repository, nil
}

// OpenLayout returns an OCI layout directory, and makes it if it is missing.
func OpenLayout(directory string) (oras.GraphTarget, error) {
	store, err := oci.New(directory)
	if err != nil {
		return nil, fmt.Errorf("open OCI layout %s: %w", directory, err)
	}
	return store, nil
}
