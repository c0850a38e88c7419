package main

import (
	"context"
	"time"
)

const (
	// settle is the time after the last one runs until the controller is
	// taken to be at rest: its last events are out, and its heap was collected.
	settle = 30 * time.Second
	// resting is how long it is watched then.
	resting = 2 * time.Minute
)

// atRest leaves the controller alone with a fleet.
func (s *scale) atRest(ctx context.Context) ([]measurement, error) {
	f := fleet{client: s.client, name: "resting", size: s.size}
	if err := f.prepare(ctx); err != nil {
		return nil, err
	}
	if _, err := s.createFunctions(ctx, f); err != nil {
		return nil, err
	}
	note("%d Functions run; the controller is left alone for %s", f.size, settle+resting)
	if err := s.leaveAlone(ctx, settle); err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := s.leaveAlone(ctx, resting); err != nil {
		return nil, err
	}
	requests, err := s.plane.Requests(begin, time.Now())
	if err != nil {
		return nil, err
	}
	memory, err := s.module.controller.ResidentMemory()
	if err != nil {
		return nil, err
	}
	writes, leases := 0, 0
	for _, request := range requests {
		switch {
		case request.IsWrite() && request.IsLease():
			leases++
		case request.IsWrite():
			writes++
			note("a write at rest: %s %s/%s", request.Kind(), request.Object.Namespace, request.Object.Name)
		}
	}
	note("besides, %d renewals of leader election's lease", leases)
	return []measurement{
		{Name: "controller_rest_memory", Value: float64(memory) / (1 << 20), Unit: "MiB", Runs: 1, aim: "< 200"},
		{Name: "controller_rest_writes", Value: float64(writes), Unit: "writes", Runs: 1, aim: "0"},
	}, nil
}

// leaveAlone waits, and tells whether the controller still runs.
func (s *scale) leaveAlone(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return s.module.controller.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
