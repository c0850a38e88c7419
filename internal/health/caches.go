package health

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// patience is how long a probe waits for caches, which have synced at once or take a while.
const patience = time.Second

// Cache is what can tell whether it holds what it watches.
type Cache interface {
	WaitForCacheSync(ctx context.Context) bool
}

// Synced is a readiness check: it fails until the caches hold what they
// watch. A replica that waits to be the leader watches nothing yet, and is ready.
func Synced(caches ...Cache) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), patience)
		defer cancel()
		for _, cache := range caches {
			if !cache.WaitForCacheSync(ctx) {
				return errors.New("caches have not synced yet")
			}
		}
		return nil
	}
}
