package main

import (
	"context"
	"slices"
	"time"

	"kyma-project.io/serverless/tests/controlplane"
)

const (
	// settle is the time until a program is taken to be at rest: its last
	// events are out, and its heap was collected.
	settle = 30 * time.Second
	// resting is how long it is watched then.
	resting = 2 * time.Minute
)

// rest is what a program takes while nothing happens.
type rest struct {
	// memory is resident, in bytes.
	memory int64
	// writes are those to the API server but renewals of leases.
	writes int
}

// measureRest leaves a program alone, whose requests the control plane audits.
func measureRest(ctx context.Context, plane *controlplane.ControlPlane, program *controlplane.Process) (rest, error) {
	if err := leaveAlone(ctx, program, settle); err != nil {
		return rest{}, err
	}
	begin := time.Now()
	if err := leaveAlone(ctx, program, resting); err != nil {
		return rest{}, err
	}
	requests, err := plane.Requests(begin, time.Now())
	if err != nil {
		return rest{}, err
	}
	measured := rest{}
	if measured.memory, err = program.ResidentMemory(); err != nil {
		return rest{}, err
	}
	leases := 0
	for _, request := range requests {
		switch {
		case request.IsWrite() && request.IsLease():
			leases++
		case request.IsWrite():
			measured.writes++
			note("a write at rest: %s %s/%s", request.Kind(), request.Object.Namespace, request.Object.Name)
		}
	}
	note("besides, %d renewals of leader election's lease", leases)
	return measured, nil
}

// rows are those of a program at rest that are wanted.
func (r rest) rows(options options, memory, memoryAim, writes string) []measurement {
	rows := []measurement{
		{Name: memory, Value: float64(r.memory) / (1 << 20), Unit: "MiB", Runs: 1, aim: memoryAim},
		{Name: writes, Value: float64(r.writes), Unit: "writes", Runs: 1, aim: "0"},
	}
	return slices.DeleteFunc(rows, func(row measurement) bool { return !options.wants(row.Name) })
}

// leaveAlone waits, and tells whether the program still runs.
func leaveAlone(ctx context.Context, program *controlplane.Process, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return program.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
