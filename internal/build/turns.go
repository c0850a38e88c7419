package build

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kyma-project.io/serverless/api/serverless/v1alpha2"
	"kyma-project.io/serverless/internal/metrics"
)

// waitsForTurn begins what a Function says whose build waits for others.
const waitsForTurn = "Build waits for its turn"

// A created Job is looked for in the cache at this interval, and at most this long.
const (
	cachePoll  = 5 * time.Millisecond
	cacheDelay = 2 * time.Second
)

// turns knows who waits for which build. It is in memory only: after a
// restart every Function is reconciled, and those that wait ask again.
type turns struct {
	mutex sync.Mutex
	queue Queue
	// asked has the build that each Function waits for, and askers the reverse.
	asked  map[client.ObjectKey]ID
	askers map[ID][]client.ObjectKey
	// wake has a Function reconciled.
	wake func(client.ObjectKey)
}

// ask notes that the Function needs the build, and tells whether it did before.
func (t *turns) ask(function client.ObjectKey, id ID) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	former, asks := t.asked[function]
	if asks && former == id {
		return true
	}
	t.leave(function)
	if t.asked == nil {
		t.asked, t.askers = map[client.ObjectKey]ID{}, map[ID][]client.ObjectKey{}
	}
	t.asked[function] = id
	t.askers[id] = append(t.askers[id], function)
	return false
}

// asks tells whether the Function waits for the build.
func (t *turns) asks(function client.ObjectKey, id ID) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	asked, waits := t.asked[function]
	return waits && asked == id
}

// leave forgets what the Function waits for, and tells whether a place in the
// queue became free by that.
func (t *turns) leave(function client.ObjectKey) bool {
	id, asks := t.asked[function]
	if !asks {
		return false
	}
	delete(t.asked, function)
	rest := slices.DeleteFunc(t.askers[id], func(other client.ObjectKey) bool { return other == function })
	if len(rest) > 0 {
		t.askers[id] = rest
		return false
	}
	delete(t.askers, id)
	return t.queue.Remove(id)
}

func (t *turns) wakeAskers(id ID) {
	if t.wake == nil {
		return
	}
	for _, function := range t.askers[id] {
		t.wake(function)
	}
}

// WakeThrough sets what has a Function reconciled that a build's end lets go on.
func (b *Builder) WakeThrough(wake func(function client.ObjectKey)) {
	b.turns.mutex.Lock()
	defer b.turns.mutex.Unlock()
	b.turns.wake = wake
}

// Forget ends the waiting of a Function that needs no build now.
func (b *Builder) Forget(ctx context.Context, function client.ObjectKey) {
	b.turns.mutex.Lock()
	left := b.turns.leave(function)
	b.turns.mutex.Unlock()
	if left {
		b.callNext(ctx)
	}
}

// JobChanged wakes the Functions that wait for this Job, and those whose turn
// it is after it. Former is the Job before the change; nil if it is new or gone.
func (b *Builder) JobChanged(ctx context.Context, former, job *batchv1.Job) {
	if former != nil && StateOf(former) == Active && StateOf(job) != Active {
		b.Metrics.Finished(metrics.ByJob, StateOf(job) == Succeeded, EndedAt(job).Sub(job.CreationTimestamp.Time))
	}
	b.turns.mutex.Lock()
	b.turns.wakeAskers(ID{Namespace: job.Namespace, Dependencies: job.Labels[LabelDependencies]})
	b.turns.mutex.Unlock()
	b.callNext(ctx)
}

// callNext wakes the Functions of the builds whose turn it is. Should they
// not come, it calls the next ones later.
func (b *Builder) callNext(ctx context.Context) {
	running, total, err := b.running(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "call the next builds")
		return
	}
	b.turns.mutex.Lock()
	defer b.turns.mutex.Unlock()
	called := b.turns.queue.Call(b.MaxJobs-total, running, time.Now())
	for _, id := range called {
		b.turns.wakeAskers(id)
	}
	if len(called) > 0 {
		time.AfterFunc(callPatience+time.Second, func() { b.callNext(context.WithoutCancel(ctx)) })
	}
	b.Metrics.Waiting(b.turns.queue.Len())
}

// createInTurn creates the Job if its turn has come, in place of the former
// one. Otherwise it says what it waits for, or returns another Function's Job
// for the same that has just been created.
func (b *Builder) createInTurn(ctx context.Context, fn *v1alpha2.Function, since time.Time, job, former *batchv1.Job) (other *batchv1.Job, waits string, err error) {
	b.starting.Lock()
	defer b.starting.Unlock()
	current, err := b.findJob(ctx, job.Namespace, job.Labels[LabelDependencies])
	if err != nil {
		return nil, "", err
	}
	if current != nil && StateOf(current) == Active {
		return current, "", nil
	}
	running, total, err := b.running(ctx)
	if err != nil {
		return nil, "", err
	}
	id := ID{Namespace: job.Namespace, Dependencies: job.Labels[LabelDependencies]}
	ahead, isNext := b.turns.come(id, since, b.MaxJobs-total, running)
	if !isNext {
		b.callNext(ctx)
		return nil, b.waitingMessage(fn, total, ahead), nil
	}
	if former != nil {
		if err := b.deleteJob(ctx, former); err != nil {
			return nil, "", err
		}
	}
	if err := b.Client.Create(ctx, job); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, "", fmt.Errorf("create build Job %s: %w", job.Name, err)
	}
	b.turns.start(id)
	b.awaitInCache(ctx, job)
	return nil, "", nil
}

// come queues the build, and tells whether its turn has come, or how many are ahead.
func (t *turns) come(id ID, since time.Time, free int, running map[string]int) (ahead int, isNext bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.queue.Add(id, since)
	return t.queue.Ahead(id, running), slices.Contains(t.queue.Next(free, running), id)
}

func (t *turns) start(id ID) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.queue.Start(id)
}

// awaitInCache waits until the next count has this very Job, not a former one
// of its name, which takes some milliseconds. One that was deleted right away
// doesn't hold up others for long.
func (b *Builder) awaitInCache(ctx context.Context, job *batchv1.Job) {
	_ = wait.PollUntilContextTimeout(ctx, cachePoll, cacheDelay, true, func(ctx context.Context) (bool, error) {
		var cached batchv1.Job
		err := b.Client.Get(ctx, client.ObjectKeyFromObject(job), &cached)
		return err == nil && (cached.UID == job.UID || job.UID == ""), nil
	})
}

// running counts the active Jobs, by namespace and in all.
func (b *Builder) running(ctx context.Context) (map[string]int, int, error) {
	var jobs batchv1.JobList
	err := b.Client.List(ctx, &jobs, client.MatchingLabels{v1alpha2.LabelManagedBy: v1alpha2.ManagedByController}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, 0, fmt.Errorf("list build Jobs: %w", err)
	}
	running, total := map[string]int{}, 0
	for i := range jobs.Items {
		if StateOf(&jobs.Items[i]) == Active {
			running[jobs.Items[i].Namespace]++
			total++
		}
	}
	b.Metrics.Running(total)
	return running, total, nil
}

// waitsSince is when the Function began to wait, as its status remembers it.
func waitsSince(fn *v1alpha2.Function, now time.Time) time.Time {
	built := fn.Status.Condition(v1alpha2.ConditionBuildReady)
	switch {
	case built == nil:
		return fn.CreationTimestamp.Time
	case built.Status == corev1.ConditionUnknown:
		return built.LastTransitionTime.Time
	default:
		return now
	}
}

// waitingMessage tells for how many builds the Function waits. It stays as it
// was at the beginning: with a thousand that wait, a message that counts down
// would be a thousand writes each time that one build ends
// (docs/decisions/fair-builds.md).
func (b *Builder) waitingMessage(fn *v1alpha2.Function, running, ahead int) string {
	built := fn.Status.Condition(v1alpha2.ConditionBuildReady)
	if built != nil {
		if at := strings.Index(built.Message, waitsForTurn); at >= 0 {
			return built.Message[at:]
		}
	}
	return fmt.Sprintf("%s: %d of at most %d builds were running and %d waiting ahead of it when it began to wait",
		waitsForTurn, running, b.MaxJobs, ahead)
}
