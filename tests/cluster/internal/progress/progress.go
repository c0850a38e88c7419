// Package progress shows a user what is being done, and for how long.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Printer prints one line for each step: rewritten while it lasts on a
// terminal, once at its end elsewhere.
type Printer struct {
	out      io.Writer
	terminal bool
	mu       sync.Mutex
}

// New prints to f.
func New(f *os.File) *Printer {
	return &Printer{out: f, terminal: term.IsTerminal(int(f.Fd()))}
}

// Done prints a finished step.
func (p *Printer) Done(name string, took time.Duration) {
	p.line("  ✓ %s (%.1fs)\n", name, took.Seconds())
}

// Note prints a line that is no step.
func (p *Printer) Note(format string, args ...any) { p.line("  "+format+"\n", args...) }

// Step does something and prints how it goes.
func (p *Printer) Step(name string, do func() error) error {
	started := time.Now()
	stop := p.Doing(name, started)
	err := do()
	stop()
	if err != nil {
		p.line("  ✗ %s (%.1fs)\n", name, time.Since(started).Seconds())
		return err
	}
	p.Done(name, time.Since(started))
	return nil
}

// patience is when a step is worth a word where lines can't be rewritten.
const patience = 20 * time.Second

// Doing shows a step that goes on, until stop is called.
func (p *Printer) Doing(name string, started time.Time) (stop func()) {
	every := patience
	if p.terminal {
		every = 100 * time.Millisecond
	}
	ticker := time.NewTicker(every)
	ended := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				p.doing(name, time.Since(started))
			}
		}
	})
	return func() {
		ticker.Stop()
		close(ended)
		shown.Wait()
	}
}

func (p *Printer) doing(name string, since time.Duration) {
	if p.terminal {
		p.line("  … %s (%.0fs)", name, since.Seconds())
		return
	}
	p.line("  … %s (%.0fs)\n", name, since.Seconds())
}

func (p *Printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		format = "\r\x1b[K" + format
	}
	fmt.Fprintf(p.out, format, args...)
}
