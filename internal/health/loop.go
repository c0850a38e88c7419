// Package health answers the probes: it tells a reconcile loop that hangs from
// one that is busy.
package health

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Loop watches the reconciliations of one controller. It asks nothing of the
// controller, so a long queue or slow work can't make it fail.
//
// A reconciliation may be slow until its context ends. One that goes on for
// longer than the timeout after that ignores its context: it hangs. The loop
// hangs if all that are under way do, and none has ended within the timeout:
// as long as another one works, a restart would undo its work.
type Loop struct {
	limit, timeout time.Duration
	now            func() time.Time

	mutex sync.Mutex
	// started has the reconciliations that are under way.
	started map[*reconcile.Request]time.Time
	ended   time.Time
}

// NewLoop returns a Loop whose reconciliations' contexts end after the limit.
func NewLoop(limit, timeout time.Duration) *Loop {
	return &Loop{limit: limit, timeout: timeout, now: time.Now, started: map[*reconcile.Request]time.Time{}}
}

// Watch returns the reconciler, watched.
func (l *Loop) Watch(next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		l.start(&request)
		defer l.end(&request)
		return next.Reconcile(ctx, request)
	})
}

func (l *Loop) start(request *reconcile.Request) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.started[request] = l.now()
}

func (l *Loop) end(request *reconcile.Request) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.started, request)
	l.ended = l.now()
}

// Check is a health check that fails if the loop hangs. The answer to a probe
// leaves the reason out, so the log has it.
func (l *Loop) Check(*http.Request) error {
	err := l.check()
	if err != nil {
		log.Log.WithName("health").Error(err, "reconcile loop hangs")
	}
	return err
}

func (l *Loop) check() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := l.now()
	if len(l.started) == 0 || now.Sub(l.ended) <= l.timeout {
		return nil
	}
	var hanging []string
	for request, started := range l.started {
		runs := now.Sub(started)
		if runs <= l.limit+l.timeout {
			return nil
		}
		hanging = append(hanging, fmt.Sprintf("%s for %s", request.NamespacedName, runs.Round(time.Second)))
	}
	slices.Sort(hanging)
	return fmt.Errorf("reconciliations go on after the %s that they have: %s", l.limit, strings.Join(hanging, ", "))
}
