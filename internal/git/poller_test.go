package git

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// fakeServers answer a Poller in the time of a synctest bubble.
type fakeServers struct {
	mutex   sync.Mutex
	commits map[string]string // by reference
	err     error
	asked   map[string][]time.Time // by URL
	// hangs is a URL that doesn't answer.
	hangs string
}

func (s *fakeServers) list(ctx context.Context, remote Remote) (References, error) {
	if remote.URL == s.hangs {
		<-ctx.Done()
		return References{}, ctx.Err()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked[remote.URL] = append(s.asked[remote.URL], time.Now())
	found := References{commits: map[string]string{}}
	for reference, commit := range s.commits {
		found.commits["refs/heads/"+reference] = commit
	}
	return found, s.err
}

func (s *fakeServers) set(reference, commit string, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.commits[reference], s.err = commit, err
}

func (s *fakeServers) times(url string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.asked[url])
}

// polled runs the test with a Poller whose owners are told by the channel.
func polled(t *testing.T, test func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		servers := &fakeServers{commits: map[string]string{"main": "1", "other": "1"}, asked: map[string][]time.Time{}}
		p := newPoller(servers.list)
		told := make(chan types.NamespacedName, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.Run(ctx, func(name types.NamespacedName) { told <- name }); close(done) }()
		test(t, p, servers, told)
		cancel()
		<-done
	})
}

func owned(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

func onMain(url string) Interest { return Interest{Remote: Remote{URL: url}, Reference: "main"} }

func heard(t *testing.T, p *Poller, name string, interest Interest) Answer {
	t.Helper()
	answer, heard := p.Latest(owned(name), interest)
	if !heard {
		t.Fatalf("%s: nothing was heard", name)
	}
	return answer
}

func TestPollerTellsOfANewCommit(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		if _, heard := p.Latest(owned("a"), onMain("u")); heard {
			t.Fatal("there is an answer before anybody was asked")
		}
		<-told
		if got := heard(t, p, "a", onMain("u")); got.Commit != "1" {
			t.Errorf("commit %q", got.Commit)
		}
		begin := time.Now()
		servers.set("main", "2", nil)
		<-told
		if wait := time.Since(begin); wait > defaultInterval {
			t.Errorf("told after %s", wait)
		}
		if got := heard(t, p, "a", onMain("u")); got.Commit != "2" {
			t.Errorf("commit %q", got.Commit)
		}
		time.Sleep(time.Hour)
		if len(told) > 0 {
			t.Error("told without a change")
		}
	})
}

func TestPollerAsksContinuouslyWhereItIsTo(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		_, _ = p.Latest(owned("a"), onMain("u"))
		<-told
		heard(t, p, "a", onMain("u"))
		time.Sleep(time.Minute)
		continuous := onMain("u")
		continuous.Continuous = true
		heard(t, p, "a", continuous)
		servers.set("main", "2", nil)
		begin := time.Now()
		<-told
		if wait := time.Since(begin); wait > continuousInterval {
			t.Errorf("told after %s", wait)
		}
	})
}

func TestPollerAsksOnceForAllOwnersOfARemote(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		begin := time.Now()
		for _, name := range []string{"a", "b", "c", "d"} {
			_, _ = p.Latest(owned(name), onMain("u"))
		}
		for range 4 {
			<-told
		}
		time.Sleep(time.Hour)
		// Who comes right after an answer gets it, and is told of the next one only.
		if got, most := servers.times("u"), 2+int(time.Since(begin)/defaultInterval); got > most {
			t.Errorf("asked %d times in %s, want at most %d", got, time.Since(begin), most)
		}
	})
}

func TestPollerAsksNobodyForFunctionsThatAreGone(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		_, _ = p.Latest(owned("a"), onMain("u"))
		<-told
		_, _ = p.Latest(owned("a"), onMain("moved"))
		<-told
		before := servers.times("u")
		p.Forget(owned("a"))
		time.Sleep(time.Hour)
		if got := servers.times("u"); got != before || servers.times("moved") != 1 {
			t.Errorf("asked %d and %d times", got, servers.times("moved"))
		}
		if len(p.remotes)+len(p.owners) > 0 {
			t.Errorf("remembers %v, %v", p.remotes, p.owners)
		}
	})
}

func TestPollerAsksSoonAfterAFailure(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		servers.set("main", "1", errors.New("down"))
		_, _ = p.Latest(owned("a"), onMain("u"))
		<-told
		if got := heard(t, p, "a", onMain("u")); got.Err == nil {
			t.Error("no error")
		}
		servers.set("main", "1", nil)
		begin := time.Now()
		<-told
		if wait := time.Since(begin); wait > firstRetry {
			t.Errorf("told after %s", wait)
		}
		servers.set("main", "1", errors.New("down"))
		time.Sleep(24 * time.Hour)
		if got, least := servers.times("u"), int(24*time.Hour/defaultInterval); got < least || got > least+10 {
			t.Errorf("asked %d times in a day", got)
		}
	})
}

func TestPollerTellsWhenABranchAppears(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		missing := Interest{Remote: Remote{URL: "u"}, Reference: "feature/x"}
		_, _ = p.Latest(owned("a"), missing)
		<-told
		var notFound *NotFoundError
		if got := heard(t, p, "a", missing); !errors.As(got.Err, &notFound) {
			t.Errorf("%v, want a NotFoundError", got.Err)
		}
		servers.set("feature/x", "3", nil)
		<-told
		if got := heard(t, p, "a", missing); got.Commit != "3" {
			t.Errorf("%+v", got)
		}
	})
}

func TestPollerIsNotHeldUpByAServerThatHangs(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		servers.hangs = "slow"
		_, _ = p.Latest(owned("a"), onMain("slow"))
		_, _ = p.Latest(owned("b"), onMain("u"))
		if name := <-told; name != owned("b") {
			t.Errorf("told %s", name)
		}
	})
}

// What was heard long ago isn't news for one who comes anew.
func TestPollerAsksAnewForAnOwnerWhoComesLater(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		_, _ = p.Latest(owned("a"), onMain("u"))
		<-told
		heard(t, p, "a", onMain("u"))
		time.Sleep(time.Minute)
		servers.set("main", "2", nil)
		if _, heard := p.Latest(owned("b"), onMain("u")); heard {
			t.Error("got an old answer")
		}
		for range 2 {
			<-told
		}
		if a, b := heard(t, p, "a", onMain("u")), heard(t, p, "b", onMain("u")); a.Commit != "2" || b.Commit != "2" {
			t.Errorf("%+v, %+v", a, b)
		}
	})
}

func TestPollerAsksAtOnceAfterAPush(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		const url = "https://git.local/shop/orders.git"
		_, _ = p.Latest(owned("a"), onMain(url))
		<-told
		heard(t, p, "a", onMain(url))
		servers.set("main", "2", nil)
		begin := time.Now()
		p.Pushed("shop", []string{"git@git.local:shop/orders.git", "https://git.local/shop/orders"})
		<-told
		if wait := time.Since(begin); wait > afterPush {
			t.Errorf("told after %s", wait)
		}
		if got := heard(t, p, "a", onMain(url)); got.Commit != "2" {
			t.Errorf("commit %q", got.Commit)
		}
	})
}

// A host that tells of a hundred pushes, or somebody who has its secret, has the server asked no more than every two seconds.
func TestPollerAsksNoMoreOftenThanItMayHoweverManyPushes(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		const url = "https://git.local/shop/orders.git"
		_, _ = p.Latest(owned("a"), onMain(url))
		<-told
		heard(t, p, "a", onMain(url))
		begin := time.Now()
		for range 1000 {
			p.Pushed("shop", []string{url})
			time.Sleep(10 * time.Millisecond)
		}
		if asked, most := servers.times(url), 2+int(time.Since(begin)/afterPush); asked > most || asked < most-2 {
			t.Errorf("asked %d times in %s", asked, time.Since(begin))
		}
	})
}

func TestPushesOfOthersAreOfNoMatter(t *testing.T) {
	polled(t, func(t *testing.T, p *Poller, servers *fakeServers, told <-chan types.NamespacedName) {
		const url = "https://git.local/shop/orders.git"
		_, _ = p.Latest(owned("a"), onMain(url))
		<-told
		heard(t, p, "a", onMain(url))
		time.Sleep(time.Minute)
		p.Pushed("market", []string{url})
		p.Pushed("shop", []string{"https://git.local/shop/other.git", "https://other.local/shop/orders.git", "", "::"})
		p.Pushed("shop", nil)
		time.Sleep(time.Minute)
		if asked := servers.times(url); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestPlaceOfARepository(t *testing.T) {
	for _, same := range [][]string{
		{"https://github.com/Shop/orders.git", "https://ann:token@github.com/shop/orders", "git@github.com:shop/orders.git", "ssh://git@github.com:22/shop/orders/"},
		{"http://gitea.local:3000/a/b.git", "ssh://git@gitea.local:2222/a/b.git"},
	} {
		for _, url := range same {
			if place(url) != place(same[0]) || place(url) == "" {
				t.Errorf("%s is at %q, %s at %q", url, place(url), same[0], place(same[0]))
			}
		}
	}
	if place("https://a.local/x") == place("https://b.local/x") || place("") != "" || place("/etc") != "" {
		t.Error("different places are the same")
	}
}
