package controllers_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
)

// killer lets writes to a path through until the one at which it breaks all connections.
type killer struct {
	path string
	at   int

	mutex  sync.Mutex
	writes []string
}

func (k *killer) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		isWrite := request.Method != http.MethodGet && !request.URL.Query().Has("dryRun") && strings.Contains(request.URL.Path, k.path)
		if k.dead() {
			return nil, errors.New("the controller is dead")
		}
		response, err := next.RoundTrip(request)
		// Events are not on the way: they are sent when there is time. Nor is
		// what is refused: it would be for all who come after.
		isDone := err == nil && response.StatusCode < http.StatusBadRequest
		if isWrite && isDone && !strings.HasSuffix(request.URL.Path, "/events") && k.count(request) {
			response.Body.Close()
			return nil, errors.New("the controller died")
		}
		return response, err
	})
}

func (k *killer) count(request *http.Request) (dies bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.writes = append(k.writes, request.Method+" "+request.URL.Path)
	return len(k.writes) >= k.at
}

// die breaks all connections now.
func (k *killer) die() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.at = 0
}

// all are the writes so far.
func (k *killer) all() []string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return slices.Clone(k.writes)
}

func (k *killer) dead() bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return len(k.writes) >= k.at
}

func (k *killer) last() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if len(k.writes) < k.at {
		return "none, it was complete"
	}
	return k.writes[k.at-1]
}

// runKilled runs a controller that is killed at a write to the Function's namespace.
func (w *functionWorld) runKilled(fn *v1alpha2.Function, write int) (*killer, func()) {
	GinkgoHelper()
	killer := &killer{path: "/namespaces/" + fn.Namespace + "/", at: write}
	return killer, w.runController(killer.wrap)
}

// unchanged wraps nothing.
func unchanged(next http.RoundTripper) http.RoundTripper { return next }
