package build

import (
	"cmp"
	"slices"
	"time"
)

// callPatience is how long a build that was called may take to come.
const callPatience = 5 * time.Second

// ID names a build that Functions wait for: a dependency layer of a namespace.
type ID struct {
	Namespace string
	// Dependencies is the value of LabelDependencies.
	Dependencies string
}

// Queue orders the builds that wait. Within a namespace the one goes first
// that has waited longest; among namespaces the one that has the fewest builds
// running, then the one whose last turn is the longest ago. So a namespace
// with a hundred builds holds up another's single one for one build at most.
// The zero value is an empty queue.
type Queue struct {
	// lines are the namespaces' waiting builds, the longest waiting first.
	lines map[string][]*waiting
	// served numbers the namespaces' last turns. It is kept as long as anybody
	// waits, or a namespace would be new each time it comes.
	served map[string]int
	turns  int
}

type waiting struct {
	id    ID
	since time.Time
	// called is when it was its turn; zero if it wasn't, or it came too late.
	called time.Time
}

// Add has the build wait since the time, unless it waits already. One that
// was called has come with this.
func (q *Queue) Add(id ID, since time.Time) {
	if q.lines == nil {
		q.lines, q.served = map[string][]*waiting{}, map[string]int{}
	}
	line := q.lines[id.Namespace]
	if i := indexOf(line, id); i >= 0 {
		line[i].called = time.Time{}
		return
	}
	place, _ := slices.BinarySearchFunc(line, since, func(w *waiting, since time.Time) int {
		// After those that came in the same second.
		return cmp.Or(w.since.Compare(since), -1)
	})
	q.lines[id.Namespace] = slices.Insert(line, place, &waiting{id: id, since: since})
}

// Remove takes the build out, and tells whether it was there.
func (q *Queue) Remove(id ID) bool {
	line := q.lines[id.Namespace]
	i := indexOf(line, id)
	if i < 0 {
		return false
	}
	if line = slices.Delete(line, i, i+1); len(line) > 0 {
		q.lines[id.Namespace] = line
		return true
	}
	delete(q.lines, id.Namespace)
	if len(q.lines) == 0 {
		q.served, q.turns = map[string]int{}, 0
	}
	return true
}

// Start takes the build out because it has its turn.
func (q *Queue) Start(id ID) {
	if q.lines == nil {
		return
	}
	q.turns++
	q.served[id.Namespace] = q.turns
	q.Remove(id)
}

// Next are the builds whose turn it is when so many places are free, and so
// many builds run in each namespace.
func (q *Queue) Next(free int, running map[string]int) []ID {
	if free <= 0 {
		return nil
	}
	var ranked []rank
	for namespace, line := range q.lines {
		for i := range min(free, len(line)) {
			ranked = append(ranked, q.rank(namespace, i, running))
		}
	}
	slices.SortFunc(ranked, rank.compare)
	var next []ID
	for _, r := range ranked[:min(free, len(ranked))] {
		next = append(next, r.id)
	}
	return next
}

// Ahead is how many waiting builds have their turn before this one, as far as
// it can be told now.
func (q *Queue) Ahead(id ID, running map[string]int) int {
	own := indexOf(q.lines[id.Namespace], id)
	if own < 0 {
		return 0
	}
	mine, ahead := q.rank(id.Namespace, own, running), own
	for namespace, line := range q.lines {
		if namespace == id.Namespace {
			continue
		}
		ahead += min(len(line), max(0, mine.level-running[namespace]))
		if last := mine.level - running[namespace]; last >= 0 && last < len(line) && q.rank(namespace, last, running).compare(mine) < 0 {
			ahead++
		}
	}
	return ahead
}

// Call returns those of the next builds that were not called before. One that
// was called and didn't come leaves the queue, so that it can't hold up others:
// it is still on its way here, and then waits again.
func (q *Queue) Call(free int, running map[string]int, now time.Time) []ID {
	for _, line := range q.lines {
		for _, w := range slices.Clone(line) {
			if !w.called.IsZero() && now.Sub(w.called) > callPatience {
				q.Remove(w.id)
			}
		}
	}
	var called []ID
	for _, id := range q.Next(free, running) {
		line := q.lines[id.Namespace]
		if w := line[indexOf(line, id)]; w.called.IsZero() {
			w.called = now
			called = append(called, id)
		}
	}
	return called
}

// Len is how many builds wait.
func (q *Queue) Len() int {
	number := 0
	for _, line := range q.lines {
		number += len(line)
	}
	return number
}

// rank is a build's place among all.
type rank struct {
	// level is how many builds of the namespace run or go before.
	level, served int
	since         time.Time
	id            ID
}

func (q *Queue) rank(namespace string, index int, running map[string]int) rank {
	w := q.lines[namespace][index]
	return rank{level: running[namespace] + index, served: q.served[namespace], since: w.since, id: w.id}
}

func (r rank) compare(other rank) int {
	return cmp.Or(cmp.Compare(r.level, other.level), cmp.Compare(r.served, other.served), r.since.Compare(other.since),
		cmp.Compare(r.id.Namespace, other.id.Namespace))
}

func indexOf(line []*waiting, id ID) int {
	return slices.IndexFunc(line, func(w *waiting) bool { return w.id == id })
}
