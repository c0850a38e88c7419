package collection_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"kyma-project.io/serverless/internal/collection"
)

// actor is somebody who does one request after another; others' come in between.
type actor struct {
	steps []func() error
}

// Whatever order requests come in, and whenever the registry is killed: an
// image that the cluster refers to is there, complete.
func TestNothingReferredToIsEverLost(t *testing.T) {
	runs, steps := uint64(8), 550
	if testing.Short() {
		runs = 2
	}
	seen := make([]counts, runs)
	t.Run("with seed", func(t *testing.T) {
		for seed := range runs {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				// Most of the time is the disk's.
				t.Parallel()
				seen[seed] = run(newWorld(t, seed), steps)
			})
		}
	})
	var total counts
	for _, one := range seen {
		total.add(one)
	}
	// A run in which nothing is deleted or disturbed would prove nothing.
	t.Logf("%+v", total)
	if total.deleted < 100 || total.crashes < 5 || total.disturbed < 50 || total.referred < 100 {
		t.Errorf("too little happened: %+v", total)
	}
}

// run has actors take the steps, and then lets everything go.
func run(w *world, steps int) (total counts) {
	var actors []*actor
	for range steps {
		w.step(&actors, &total, true)
	}
	w.isComplete("in the end")

	w.now = w.now.Add(2 * collection.SharedRetention)
	w.collect()
	w.isComplete("after the last collection")
	w.references = map[image]bool{}
	w.now = w.now.Add(2 * collection.SharedRetention)
	w.collect()
	// What was kept for the sake of Functions' images goes with the next one.
	w.collect()
	if left := w.blobs(); len(left) > 0 {
		w.Errorf("%d blobs are left that nothing refers to", len(left))
	}
	if left := w.repositories(); len(left) > 0 {
		w.Errorf("repositories are left with nothing in them: %v", left)
	}
	return total
}

type counts struct{ referred, deleted, crashes, disturbed, aborted int }

func (c *counts) add(other counts) {
	c.referred += other.referred
	c.deleted += other.deleted
	c.crashes += other.crashes
	c.disturbed += other.disturbed
	c.aborted += other.aborted
}

// step has one actor do one thing; collections don't nest.
func (w *world) step(actors *[]*actor, total *counts, mayCollect bool) {
	w.now = w.now.Add(time.Duration(w.random.Int64N(int64(timeout / 30))))
	if len(*actors) < 6 {
		*actors = append(*actors, w.newActor(total))
	}
	if mayCollect && w.random.IntN(15) == 0 {
		w.collectAmong(actors, total)
		return
	}
	i := w.random.IntN(len(*actors))
	one := (*actors)[i]
	err := one.steps[0]()
	one.steps = one.steps[1:]
	if err != nil {
		total.aborted++
	}
	if err != nil || len(one.steps) == 0 {
		*actors = append((*actors)[:i], (*actors)[i+1:]...)
	}
}

// collectAmong collects with a listing that may be old, while actors go on.
func (w *world) collectAmong(actors *[]*actor, total *counts) {
	listed, begun := w.all(), w.now
	for range w.random.IntN(3) {
		w.step(actors, total, false)
	}
	if w.random.IntN(4) == 0 {
		w.now = w.now.Add(time.Duration(w.random.Int64N(int64(30 * time.Hour))))
	}
	busy := false
	w.disk.meanwhile = func() {
		if !busy && w.random.IntN(10) == 0 {
			busy = true
			total.disturbed++
			w.step(actors, total, false)
			busy = false
		}
	}
	w.disk.crashes = func() bool { return w.random.IntN(100) == 0 }
	result, err := w.collector.Collect(w.Context(), w.listing(listed, begun))
	w.disk.meanwhile, w.disk.crashes = nil, nil
	total.deleted += result.Manifests
	switch {
	case errors.Is(err, errCrash):
		total.crashes++
		// Requests that are under way end with the registry.
		*actors = nil
		w.start()
	case err != nil:
		w.Fatal(err)
	}
	w.isComplete("after a collection")
}

func (w *world) newActor(total *counts) *actor {
	namespace := []string{"shop", "shop-eu"}[w.random.IntN(2)]
	function := namespace + "__" + []string{"orders", "bills"}[w.random.IntN(2)]
	cache := namespace + ".dependencies"
	base, dependencies, source := w.one("base"), w.one("dependencies"), w.one("source")
	tag := base + dependencies + source

	var found image
	var about, statement v1.Descriptor
	begun := w.now
	refer := func() error {
		if w.now.Sub(begun) > timeout {
			return errors.New("the reconciliation took too long")
		}
		w.references[found] = true
		total.referred++
		return nil
	}
	switch w.random.IntN(7) {
	case 0, 1: // a Function is built
		return &actor{steps: []func() error{
			func() error { return w.upload("runtimes", base) },
			func() error { return w.upload("runtimes", "config "+base) },
			func() error { _, err := w.tag("runtimes", base, "config "+base, base); return err },
			func() error { return w.upload(cache, dependencies) },
			func() error { return w.upload(cache, "config "+dependencies) },
			func() error { _, err := w.tag(cache, dependencies, "config "+dependencies, dependencies); return err },
			func() error { begun = w.now; return w.mount(function, "runtimes", base) },
			func() error { return w.mount(function, cache, dependencies) },
			func() error { return w.upload(function, source) },
			func() error { return w.upload(function, "config "+tag) },
			// What is about the image is there before its tag.
			func() error {
				var errs [2]error
				about, errs[0] = w.attach(function, "packages", "config "+tag, base, dependencies, source)
				statement, errs[1] = w.attach(function, "statement", "config "+tag, base, dependencies, source)
				return errors.Join(errs[:]...)
			},
			func() error {
				return w.listReferrers(function, []v1.Descriptor{about, statement}, "config "+tag, base, dependencies, source)
			},
			func() (err error) {
				found.repository = function
				found.digest, err = w.tag(function, tag, "config "+tag, base, dependencies, source)
				return err
			},
			refer,
		}}
	case 2, 3: // an image is found by its tag
		return &actor{steps: []func() error{
			func() error {
				begun = w.now
				digest, there := w.find(function, tag)
				if !there {
					return errors.New("there is none")
				}
				found = image{function, digest}
				return nil
			},
			refer,
		}}
	case 4, 5: // a reference goes
		return &actor{steps: []func() error{func() error {
			if all := w.all(); len(all) > 0 {
				delete(w.references, all[w.random.IntN(len(all))])
			}
			return nil
		}}}
	default: // a node pulls
		return &actor{steps: []func() error{func() error {
			if all := w.all(); len(all) > 0 {
				return w.pull(w.registry, all[w.random.IntN(len(all))])
			}
			return nil
		}}}
	}
}

func (w *world) one(kind string) string { return fmt.Sprintf("%s%d", kind, w.random.IntN(3)) }
