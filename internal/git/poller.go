package git

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

// How often a remote is asked (contract/functions.md 2.6, 12: check 64).
const (
	defaultInterval    = 5 * time.Minute
	continuousInterval = 10 * time.Second
	// firstRetry follows a failure, and doubles up to defaultInterval.
	firstRetry = 10 * time.Second
	// afterPush is the least time between two questions, however many pushes are told of.
	afterPush = 2 * time.Second
	// fresh is how old an answer may be for one who comes anew.
	fresh = 5 * time.Second
	// pollers is how many remotes are asked at once: one that hangs holds up
	// no others.
	pollers = 32
)

// Interest is what an owner, a Function, wants to know.
type Interest struct {
	Remote    Remote
	Reference string
	// Continuous has the remote asked much more often.
	Continuous bool
}

// Answer is what a reference named when its remote was asked last.
type Answer struct {
	Commit string
	// HostKey is the SSH host key that was accepted.
	HostKey string
	// Err says why there is no commit.
	Err error
}

func (a Answer) equal(b Answer) bool {
	return a.Commit == b.Commit && a.HostKey == b.HostKey && text(a.Err) == text(b.Err)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Poller knows what the references named last in which its owners are
// interested. Asking is its own work: Latest never waits for a server. A
// remote is asked once for all its owners.
type Poller struct {
	list  func(context.Context, Remote) (References, error)
	queue workqueue.TypedDelayingInterface[Remote]

	mutex   sync.Mutex
	owners  map[types.NamespacedName]*owner
	remotes map[Remote]*remoteState
}

type owner struct {
	Interest
	since time.Time
	// told is the last answer that the owner got.
	told *Answer
}

type remoteState struct {
	owners  map[types.NamespacedName]*owner
	answers map[string]Answer // by reference
	// asked is when the answers began to be asked for; what was pushed after
	// that may be missing in them.
	asked, pushed time.Time
	failures      int
}

// NewPoller returns a Poller; it asks nobody before Run.
func NewPoller() *Poller { return newPoller(List) }

func newPoller(list func(context.Context, Remote) (References, error)) *Poller {
	return &Poller{
		list:    list,
		queue:   workqueue.NewTypedDelayingQueue[Remote](),
		owners:  map[types.NamespacedName]*owner{},
		remotes: map[Remote]*remoteState{},
	}
}

// Latest returns the newest answer, if there is one yet, and from now on has
// the owner told when it changes.
func (p *Poller) Latest(name types.NamespacedName, interest Interest) (Answer, bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	current, state := p.subscribe(name, interest)
	answer, found := state.answers[interest.Reference]
	if !found || state.asked.Before(current.since.Add(-fresh)) {
		return Answer{}, false
	}
	current.told = &answer
	return answer, true
}

func (p *Poller) subscribe(name types.NamespacedName, interest Interest) (*owner, *remoteState) {
	current := p.owners[name]
	if current != nil && current.Interest == interest {
		return current, p.remotes[interest.Remote]
	}
	next := &owner{Interest: interest, since: time.Now()}
	if current != nil && current.Remote == interest.Remote && current.Reference == interest.Reference {
		next.since, next.told = current.since, current.told // Only the interval changed.
	}
	if current != nil && current.Remote != interest.Remote {
		p.forget(name)
	}
	state := p.remotes[interest.Remote]
	if state == nil {
		state = &remoteState{owners: map[types.NamespacedName]*owner{}, answers: map[string]Answer{}}
		p.remotes[interest.Remote] = state
	}
	p.owners[name], state.owners[name] = next, next
	if !state.isFresh() {
		p.queue.Add(interest.Remote)
	}
	return next, state
}

// Forget drops what an owner is interested in.
func (p *Poller) Forget(name types.NamespacedName) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.forget(name)
}

func (p *Poller) forget(name types.NamespacedName) {
	current := p.owners[name]
	if current == nil {
		return
	}
	delete(p.owners, name)
	state := p.remotes[current.Remote]
	delete(state.owners, name)
	if len(state.owners) == 0 {
		delete(p.remotes, current.Remote)
	}
}

// Pushed has the remotes asked soon that are at one of the addresses, and in
// which an owner of the namespace is interested.
func (p *Poller) Pushed(namespace string, addresses []string) {
	places := map[string]bool{}
	for _, address := range addresses {
		places[place(address)] = true
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for name, owner := range p.owners {
		if name.Namespace != namespace || !places[place(owner.Remote.URL)] {
			continue
		}
		state := p.remotes[owner.Remote]
		state.pushed = time.Now()
		p.queue.AddAfter(owner.Remote, state.pause())
	}
}

// Run asks the remotes until the context ends. Changed is called for each
// owner whose answer is another one than it got.
func (p *Poller) Run(ctx context.Context, changed func(types.NamespacedName)) {
	context.AfterFunc(ctx, p.queue.ShutDown)
	var working sync.WaitGroup
	for range pollers {
		working.Go(func() {
			for {
				remote, ended := p.queue.Get()
				if ended {
					return
				}
				for _, name := range p.poll(ctx, remote) {
					changed(name)
				}
				p.queue.Done(remote)
			}
		})
	}
	working.Wait()
}

// poll asks the remote and returns the owners who have to know.
func (p *Poller) poll(ctx context.Context, remote Remote) []types.NamespacedName {
	if !p.isDue(remote) {
		return nil
	}
	begin := time.Now()
	found, err := p.list(ctx, remote)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	state := p.remotes[remote]
	if state == nil || ctx.Err() != nil {
		return nil
	}
	changed := state.learn(begin, found, err)
	p.queue.AddAfter(remote, state.interval())
	return changed
}

// isDue tells whether anybody wants to know more than was found out just now.
func (p *Poller) isDue(remote Remote) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	state := p.remotes[remote]
	if state == nil {
		return false
	}
	wait := state.interval()
	if !state.isFresh() {
		wait = state.pause()
	}
	if wait > 0 {
		p.queue.AddAfter(remote, wait)
	}
	return wait <= 0
}

// hasAnswers tells whether there is an answer for each owner.
func (s *remoteState) hasAnswers() bool {
	for _, owner := range s.owners {
		if _, found := s.answers[owner.Reference]; !found {
			return false
		}
	}
	return true
}

// pause is the time until the remote may be asked once more, for a push.
func (s *remoteState) pause() time.Duration {
	if !s.hasAnswers() {
		return 0
	}
	return max(0, afterPush-time.Since(s.asked))
}

// isFresh tells whether there is a new answer for each owner.
func (s *remoteState) isFresh() bool {
	return s.hasAnswers() && time.Since(s.asked) < fresh && s.asked.After(s.pushed)
}

// learn stores what was found and returns the owners for whom it is news.
func (s *remoteState) learn(begin time.Time, found References, err error) (changed []types.NamespacedName) {
	s.asked = begin
	if s.failures++; err == nil {
		s.failures = 0
	}
	s.answers = map[string]Answer{}
	for name, owner := range s.owners {
		answer := Answer{Err: err}
		if err == nil {
			answer.HostKey = found.HostKey
			answer.Commit, answer.Err = found.Commit(owner.Reference)
		}
		s.answers[owner.Reference] = answer
		if owner.told == nil || !owner.told.equal(answer) {
			changed = append(changed, name)
		}
	}
	return changed
}

// interval is the time to the next question.
func (s *remoteState) interval() time.Duration {
	if s.failures > 0 {
		wait := firstRetry
		for range s.failures - 1 {
			if wait *= 2; wait >= defaultInterval {
				return defaultInterval
			}
		}
		return wait
	}
	for _, owner := range s.owners {
		if owner.Continuous {
			return continuousInterval
		}
	}
	return defaultInterval
}
