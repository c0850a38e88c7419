package build

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1_000_000, 0)

// queueOf has the builds wait in the order of the text, for example "a1 a2 b1":
// a letter names the namespace.
func queueOf(text string) *Queue {
	queue := &Queue{}
	for i, name := range strings.Fields(text) {
		queue.Add(idOf(name), start.Add(time.Duration(i)*time.Second))
	}
	return queue
}

func idOf(name string) ID { return ID{Namespace: name[:1], Dependencies: name} }

func names(ids []ID) string {
	var all []string
	for _, id := range ids {
		all = append(all, id.Dependencies)
	}
	return strings.Join(all, " ")
}

func TestNextBuildsAreFairAmongNamespaces(t *testing.T) {
	for name, test := range map[string]struct {
		waiting string
		started string
		free    int
		running map[string]int
		want    string
	}{
		"nobody waits":                         {"", "", 5, nil, ""},
		"no place is free":                     {"a1 b1", "", 0, nil, ""},
		"more run than may":                    {"a1 b1", "", -1, nil, ""},
		"in the order in which they came":      {"a1 a2 a3", "", 2, nil, "a1 a2"},
		"each namespace in its turn":           {"a1 a2 a3 b1 c1 c2", "", 4, nil, "a1 b1 c1 a2"},
		"the fewest running builds first":      {"a1 a2 b1 c1", "", 2, map[string]int{"a": 1, "b": 2}, "c1 a1"},
		"catching up with the others":          {"a1 b1 b2 b3", "", 3, map[string]int{"a": 2}, "b1 b2 a1"},
		"the longest without a turn":           {"a1 a2 b1 c1", "a1 b1", 2, nil, "c1 a2"},
		"a namespace that comes back":          {"a1 a2 a3 b1 b2 c1", "b1 a1 c1", 3, nil, "b2 a2 a3"},
		"more places than builds":              {"a1 b1", "", 9, nil, "a1 b1"},
		"namespaces of builds that don't wait": {"a1", "", 1, map[string]int{"z": 3}, "a1"},
	} {
		t.Run(name, func(t *testing.T) {
			queue := queueOf(test.waiting)
			for _, name := range strings.Fields(test.started) {
				queue.Start(idOf(name))
			}
			if got := names(queue.Next(test.free, test.running)); got != test.want {
				t.Errorf("next are %q, want %q", got, test.want)
			}
		})
	}
}

func TestABuildKnowsHowManyAreAhead(t *testing.T) {
	for name, test := range map[string]struct {
		waiting, build string
		running        map[string]int
		want           int
	}{
		"the first":                        {"a1 a2 b1", "a1", nil, 0},
		"the second of its namespace":      {"a1 a2 b1", "a2", nil, 2},
		"the only one behind a hundred":    {hundred("a") + " b1", "b1", nil, 1},
		"one of a namespace that has many": {hundred("a") + " b1", "a100", nil, 100},
		"others that run few":              {"a1 b1 b2", "a1", map[string]int{"a": 2}, 2},
		"others that run many":             {"a1 a2 b1", "a2", map[string]int{"b": 5}, 1},
		"one that doesn't wait":            {"a1", "z1", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := queueOf(test.waiting).Ahead(idOf(test.build), test.running); got != test.want {
				t.Errorf("%d are ahead, want %d", got, test.want)
			}
		})
	}
}

func hundred(namespace string) string {
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("%s%d", namespace, i+1))
	}
	return strings.Join(all, " ")
}

func TestABuildIsCalledOnceAndDoesNotHoldUpOthers(t *testing.T) {
	queue := queueOf("a1 b1 c1")
	call := func(after time.Duration, want string) {
		t.Helper()
		if got := names(queue.Call(1, nil, start.Add(after))); got != want {
			t.Errorf("called %q after %s, want %q", got, after, want)
		}
	}
	call(0, "a1")
	call(time.Second, "")
	// It doesn't come.
	call(callPatience+time.Second, "b1")
	// It comes, but another one was faster: it is called once more.
	queue.Add(idOf("b1"), start)
	call(time.Hour, "b1")
	queue.Start(idOf("b1"))
	// The one that didn't come in time comes after all.
	queue.Add(idOf("a1"), start)
	call(2*time.Hour, "a1")
}

func TestAWaitingBuildKeepsItsPlace(t *testing.T) {
	queue := queueOf("a1 a2")
	queue.Add(idOf("a1"), start.Add(time.Hour))
	if got := names(queue.Next(2, nil)); got != "a1 a2" {
		t.Errorf("next are %q", got)
	}
	if !queue.Remove(idOf("a1")) || queue.Remove(idOf("a1")) || queue.Len() != 1 {
		t.Error("a build is removed once")
	}
}

// Whatever comes, as long as builds end: no more run than may, a build starts
// only in a namespace that runs as few as any that waits, and each that waits
// starts after a bounded number of others.
func TestFairnessHoldsForAnyCourse(t *testing.T) {
	const namespaces, places = 6, 3
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		queue, running := &Queue{}, map[string]int{}
		var active []ID
		// passed counts the starts since a build began to wait; bound is how many there may be.
		passed, bound := map[ID]int{}, map[ID]int{}
		for step := range 400 {
			if random.IntN(3) > 0 {
				id := idOf(fmt.Sprintf("%c%d", 'a'+byte(random.IntN(namespaces)*random.IntN(2)), step))
				queue.Add(id, start.Add(time.Duration(step)*time.Second))
				// Before it go those of its namespace; for each of them, and for
				// itself, each other namespace may start as many as there are places.
				bound[id] = (len(queue.lines[id.Namespace])) * namespaces * places
			}
			if len(active) > 0 && random.IntN(3) == 0 {
				running[active[0].Namespace]--
				active = slices.Delete(active, 0, 1)
			}
			for _, id := range queue.Next(places-len(active), maps.Clone(running)) {
				for namespace := range queue.lines {
					if running[namespace] < running[id.Namespace] {
						t.Fatalf("seed %d: %v started with %d running, while %s has %d", seed, id, running[id.Namespace], namespace, running[namespace])
					}
				}
				queue.Start(id)
				running[id.Namespace]++
				active = append(active, id)
				delete(passed, id)
				for waiting := range maps.Keys(passed) {
					passed[waiting]++
				}
			}
			for _, line := range queue.lines {
				for _, w := range line {
					if _, known := passed[w.id]; !known {
						passed[w.id] = 0
					}
					if passed[w.id] > bound[w.id] {
						t.Fatalf("seed %d: %v waits for more than %d others", seed, w.id, bound[w.id])
					}
				}
			}
			if len(active) > places {
				t.Fatalf("seed %d: %d run", seed, len(active))
			}
			if queue.Len() > 0 && len(active) < places {
				t.Fatalf("seed %d: %d wait while %d run", seed, queue.Len(), len(active))
			}
		}
	}
}

// With one place at a time, a namespace that asks again and again may not keep another one out.
func TestTwoNamespacesTakeTurnsAtOnePlace(t *testing.T) {
	queue := queueOf("b1 b2 b3 b4")
	var order []ID
	for i := range 8 {
		if i%2 == 0 {
			queue.Add(idOf(fmt.Sprintf("a%d", i)), start.Add(time.Hour))
		}
		next := queue.Next(1, nil)
		queue.Start(next[0])
		order = append(order, next[0])
	}
	if got, want := names(order), "b1 a0 b2 a2 b3 a4 b4 a6"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}
