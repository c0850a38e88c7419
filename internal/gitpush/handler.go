package gitpush

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// SecretKey is the key of a namespace's Secret that has what a host signs with.
	SecretKey = "secret"
	// MinSecret is the least length of that: FIPS mode takes no shorter key.
	MinSecret = 14
	// maxBody is more than a push of thousands of commits has.
	maxBody = 5 << 20
	// Requests of all senders together; each costs a question to the API server.
	requestsPerSecond, burst = 20, 40
	// bodies is how many are held in memory at once.
	bodies = 8
)

// Handler answers POST /git-push/{namespace}.
type Handler struct {
	// Secret returns what the namespace's senders sign with, or nothing.
	Secret func(ctx context.Context, namespace string) ([]byte, error)
	// Pushed has the namespace's Functions of the repository looked after.
	Pushed func(namespace string, addresses []string)

	limit *rate.Limiter
	slots chan struct{}
}

// NewHandler returns a Handler with bounds on what strangers may cost.
func NewHandler(secret func(ctx context.Context, namespace string) ([]byte, error), pushed func(namespace string, addresses []string)) http.Handler {
	handler := &Handler{Secret: secret, Pushed: pushed, limit: rate.NewLimiter(requestsPerSecond, burst), slots: make(chan struct{}, bodies)}
	mux := http.NewServeMux()
	mux.Handle("POST /git-push/{namespace}", handler)
	return mux
}

// ServeHTTP answers alike whatever of namespace, Secret and signature is
// wrong, and whether or not a Function is made of the repository: strangers
// learn nothing.
func (h *Handler) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if !h.limit.Allow() {
		response.Header().Set("Retry-After", "1")
		http.Error(response, "too many requests", http.StatusTooManyRequests)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-request.Context().Done():
		return
	}
	status, text := h.receive(request)
	response.WriteHeader(status)
	_, _ = io.WriteString(response, text+"\n")
}

func (h *Handler) receive(request *http.Request) (status int, text string) {
	const refused = "no such receiver, or the signature is wrong"
	body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, "the body is too large"
	}
	if err != nil {
		return http.StatusBadRequest, "the body ends early"
	}
	namespace := request.PathValue("namespace")
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return http.StatusUnauthorized, refused
	}
	secret, err := h.Secret(request.Context(), namespace)
	if err != nil {
		log.FromContext(request.Context()).Error(err, "read Secret for webhooks of Git hosts", "namespace", namespace)
		return http.StatusServiceUnavailable, "try again"
	}
	if len(secret) < MinSecret {
		secret = nil
	}
	if !isAuthentic(request.Header, body, secret) {
		return http.StatusUnauthorized, refused
	}
	found, err := addresses(body)
	if err != nil {
		return http.StatusBadRequest, "send the webhook's content as application/json: " + err.Error()
	}
	h.Pushed(namespace, found)
	return http.StatusAccepted, "accepted"
}

// Server listens for webhooks while this replica leads: only that one asks Git servers.
type Server struct {
	Address string
	Handler http.Handler
}

// NeedLeaderElection has the leader listen alone.
func (s *Server) NeedLeaderElection() bool { return true }

// Start listens until the context ends.
func (s *Server) Start(ctx context.Context) error {
	server := &http.Server{
		Addr: s.Address, Handler: s.Handler, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
