package controllers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
)

// recordWrites remembers the paths that a controller writes to.
func (w *functionWorld) recordWrites(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet {
			w.mutex.Lock()
			w.writes = append(w.writes, request.Method+" "+request.URL.Path)
			w.mutex.Unlock()
		}
		return next.RoundTrip(request)
	})
}

// forbid answers requests to forbidden paths as an API server does without the permission.
func (w *functionWorld) forbid(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if _, is := w.forbidden.Load(request.URL.Path); !is {
			return next.RoundTrip(request)
		}
		answer := httptest.NewRecorder()
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(http.StatusForbidden)
		_, err := answer.WriteString(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "message": "no permission", "code": 403}`)
		return answer.Result(), err
	})
}

// writesTo are the controllers' writes to the namespace so far.
func (w *functionWorld) writesTo(namespace string) []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var found []string
	for _, write := range w.writes {
		if strings.Contains(write, "/namespaces/"+namespace+"/") {
			found = append(found, write)
		}
	}
	return found
}
