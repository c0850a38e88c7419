package store_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyma-project.io/serverless/tools/images/internal/store"
)

func TestEntryIsMadeOnceHoweverManyAskForIt(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			images, err := store.OpenDir(dir)
			if err != nil {
				t.Error(err)
				return
			}
			path, err := images.Entry(t.Context(), "layers", "a", func(path string) error {
				made.Add(1)
				return os.WriteFile(path, []byte("content"), 0o600)
			})
			if err != nil {
				t.Error(err)
			}
			if content, _ := os.ReadFile(path); string(content) != "content" {
				t.Errorf("entry has %q", content)
			}
		})
	}
	wait.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}

func TestFailedEntryIsMadeAgain(t *testing.T) {
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no network")
	_, err = images.Entry(t.Context(), "layers", "a", func(path string) error {
		return errors.Join(os.WriteFile(path, []byte("half"), 0o600), failure)
	})
	if !errors.Is(err, failure) {
		t.Fatalf("got %v, want %v", err, failure)
	}
	path, err := images.Entry(t.Context(), "layers", "a", func(path string) error {
		return os.WriteFile(path, []byte("whole"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != "whole" {
		t.Errorf("entry has %q", content)
	}
}

func TestOldEntryIsMadeAgain(t *testing.T) {
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	fresh := func() string {
		path, err := images.Fresh(t.Context(), "lists", "a", time.Now().Add(-time.Hour), func(path string) error {
			made++
			return os.WriteFile(path, nil, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := fresh()
	fresh()
	if made != 1 {
		t.Errorf("a fresh entry was made %d times", made)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	fresh()
	if made != 2 {
		t.Error("an old entry was kept")
	}
}

func TestKeyPartsDoNotRunTogether(t *testing.T) {
	if store.Key("ab", "c") == store.Key("a", "bc") {
		t.Error("different parts have one key")
	}
}

func TestWhatIsNotUsedIsPruned(t *testing.T) {
	images, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	entry := func(key string) string {
		path, err := images.Entry(t.Context(), "layers", key, func(path string) error {
			return os.WriteFile(path, nil, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	used, unused := entry("used"), entry("unused")
	old := time.Now().Add(-time.Hour)
	for _, path := range []string{used, unused} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	entry("used")

	if err := images.Prune(time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Error("the used entry is gone")
	}
	if _, err := os.Stat(unused); err == nil {
		t.Error("the unused entry is there")
	}
}
