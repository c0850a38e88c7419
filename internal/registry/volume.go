package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"kyma-project.io/serverless/internal/volume"
)

// volumeInterval is the time between two looks at the volume, which cost nothing.
const volumeInterval = 5 * time.Second

// ReportTo returns a report for Options that writes an annotation of the
// ConfigMap, whose metadata the operator watches.
func ReportTo(maps coreclient.ConfigMapInterface, name string) func(context.Context, volume.State) error {
	return func(ctx context.Context, state volume.State) error {
		var value any
		if state.Level != volume.Ample {
			value = state.String()
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{volume.Annotation: value}}})
		if err != nil {
			return fmt.Errorf("encode use of the volume: %w", err)
		}
		_, err = maps.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "serverless-docker-registry"})
		if err != nil {
			return fmt.Errorf("annotate ConfigMap %s: %w", name, err)
		}
		return nil
	}
}

// reportVolume tells how full the volume is, at the start and when that is
// worth saying, until ctx ends.
func reportVolume(ctx context.Context, options Options) {
	ticker := time.NewTicker(volumeInterval)
	defer ticker.Stop()
	var said volume.State
	for {
		said = reportOnce(ctx, options, said)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reportOnce returns what was said last: what nobody heard is said again.
func reportOnce(ctx context.Context, options Options, said volume.State) volume.State {
	usage, err := options.measure()
	if err != nil {
		slog.ErrorContext(ctx, "volume not measured", "error", err)
		return said
	}
	next := said.Next(usage)
	if next == said {
		return said
	}
	if err := options.Report(ctx, next); err != nil {
		slog.ErrorContext(ctx, "use of the volume not reported", "error", err)
		return said
	}
	slog.InfoContext(ctx, "use of the volume reported", "level", next.Level, "usage", next.Usage)
	return next
}

// registerVolume has the volume among the metrics.
func registerVolume(options Options) {
	gauge := func(name, help string, value func(volume.Usage) uint64) {
		prometheus.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			// Zero of zero says that it isn't known.
			usage, _ := options.measure()
			return float64(value(usage))
		}))
	}
	gauge("serverless_registry_volume_capacity_bytes", "Size of the volume with the images of Functions.",
		func(usage volume.Usage) uint64 { return usage.Bytes.Total })
	gauge("serverless_registry_volume_available_bytes", "What is left of the volume with the images of Functions.",
		func(usage volume.Usage) uint64 { return usage.Bytes.Available })
}
