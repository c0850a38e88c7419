package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	limit   = 2 * time.Minute
	timeout = 10 * time.Second
)

func TestOnlyALoopThatHangsIsUnhealthy(t *testing.T) {
	// Each reconciliation starts, and ends if it does, at a time after the
	// loop's start.
	type run struct{ start, end time.Duration }
	const never = time.Duration(-1)
	for name, test := range map[string]struct {
		runs  []run
		at    time.Duration
		hangs bool
	}{
		"nothing to do since it started":            {nil, time.Hour, false},
		"nothing to do after some work":             {[]run{{0, time.Second}}, time.Hour, false},
		"slow work, all workers":                    {[]run{{0, never}, {0, never}}, limit, false},
		"slow work that is ending":                  {[]run{{0, never}}, limit + timeout, false},
		"work that outlasts its context":            {[]run{{0, never}}, limit + timeout + 1, true},
		"all workers hang":                          {[]run{{0, never}, {time.Second, never}}, time.Hour, true},
		"one hangs, another ended just now":         {[]run{{0, never}, {time.Hour - timeout, time.Hour}}, time.Hour + timeout, false},
		"one hangs, no other has ended for long":    {[]run{{0, never}, {time.Minute, time.Hour}}, time.Hour + timeout + 1, true},
		"one hangs, another is slow":                {[]run{{0, never}, {3 * time.Minute, never}}, 4 * time.Minute, false},
		"one hangs, the other came to hang":         {[]run{{0, never}, {3 * time.Minute, never}}, 6 * time.Minute, true},
		"one hung, and ended after all":             {[]run{{0, time.Hour}}, 2 * time.Hour, false},
		"one that began late, long after the start": {[]run{{time.Hour, never}}, time.Hour + limit, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock := time.Unix(1_000_000, 0)
			loop := NewLoop(limit, timeout)
			loop.now = func() time.Time { return clock }
			start := clock
			for _, run := range test.runs {
				request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "orders"}}
				clock = start.Add(run.start)
				loop.start(&request)
				if run.end != never {
					clock = start.Add(run.end)
					loop.end(&request)
				}
			}
			clock = start.Add(test.at)
			err := loop.Check(nil)
			if (err != nil) != test.hangs {
				t.Fatalf("check says %v, want hanging %v", err, test.hangs)
			}
			if err != nil && !strings.Contains(err.Error(), "shop/orders for ") {
				t.Errorf("the reason %q doesn't name what hangs", err)
			}
		})
	}
}

func TestWatchedReconcilerIsUnchanged(t *testing.T) {
	loop := NewLoop(limit, timeout)
	cause := errors.New("cause")
	want := reconcile.Result{RequeueAfter: time.Second}
	watched := loop.Watch(reconcile.Func(func(_ context.Context, request reconcile.Request) (reconcile.Result, error) {
		if request.Name != "orders" || len(loop.started) != 1 {
			t.Errorf("request %v, under way %d", request, len(loop.started))
		}
		return want, cause
	}))
	got, err := watched.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "orders"}})
	if got != want || !errors.Is(err, cause) || len(loop.started) != 0 {
		t.Errorf("got %v, %v with %d under way", got, err, len(loop.started))
	}
}

func TestPanicEndsAReconciliation(t *testing.T) {
	loop := NewLoop(limit, timeout)
	watched := loop.Watch(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { panic("oh") }))
	func() {
		defer func() { _ = recover() }()
		_, _ = watched.Reconcile(t.Context(), reconcile.Request{})
	}()
	if len(loop.started) != 0 {
		t.Errorf("%d under way, want none", len(loop.started))
	}
}
