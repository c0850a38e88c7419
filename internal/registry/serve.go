package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// drainTimeout is how long a stopping registry waits for requests in flight.
// It is below the 30 s that Kubernetes gives a pod by default.
const drainTimeout = 20 * time.Second

// Serve answers registry requests at address, and /metrics at metricsAddress if
// that is not empty, until ctx ends; then it finishes the requests in flight.
func Serve(ctx context.Context, address, metricsAddress string, options Options) error {
	options.Metrics = metricsAddress != ""
	handler, err := NewHandler(ctx, options)
	if err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, "registry", address, handler) })
	if options.Report != nil {
		group.Go(func() error { reportVolume(ctx, options); return nil })
	}
	if options.Metrics {
		registerVolume(options)
		metrics := http.NewServeMux()
		metrics.Handle("GET /metrics", promhttp.Handler())
		group.Go(func() error { return serve(ctx, "metrics", metricsAddress, metrics) })
	}
	return group.Wait()
}

func serve(ctx context.Context, name, address string, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve %s: %w; choose a free address", name, err)
	}
	// No limit on the time of a whole request: a layer may be large and its
	// way slow.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	slog.InfoContext(ctx, "serving", "name", name, "address", listener.Addr().String())

	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		stopped <- server.Shutdown(drain)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", name, err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("finish requests of %s: %w", name, err)
	}
	return nil
}
