// Package loop gives a daemon's configuration state its one owner: a goroutine
// that runs functions one after another. Others reach the state by posting
// functions to it.
package loop

import (
	"context"
	"sync"
	"time"

	"weir/internal/clock"
)

// Loop is a queue of functions and the goroutine that runs them, the one in Run.
// Its mutex owns the queue.
type Loop struct {
	clock *clock.Clock

	mu    sync.Mutex
	queue []func()
	done  bool
	wake  chan struct{} // has an item when the queue may be non-empty
}

// New returns a loop whose timers follow c. It does nothing until Run.
func New(c *clock.Clock) *Loop {
	return &Loop{clock: c, wake: make(chan struct{}, 1)}
}

// Clock returns the clock that the loop's timers follow.
func (l *Loop) Clock() *clock.Clock { return l.clock }

// Run runs what is posted until ctx ends, then what was posted before that. From
// then on nothing posted runs any more.
func (l *Loop) Run(ctx context.Context) {
	for {
		l.drain()
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.drain()
			l.mu.Lock()
			l.done = true
			rest := l.queue
			l.queue = nil
			l.mu.Unlock()
			for _, fn := range rest {
				fn()
			}
			return
		}
	}
}

func (l *Loop) drain() {
	for {
		l.mu.Lock()
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, fn := range batch {
			fn()
		}
	}
}

// Post has fn run on the loop, after what was posted before. It never waits. It
// says whether the loop still took it.
func (l *Loop) Post(fn func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return false
	}
	l.queue = append(l.queue, fn)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// Call runs fn on the loop and waits for it. It must not be called on the loop
// itself. After the loop has ended it returns without running fn.
func (l *Loop) Call(fn func()) {
	done := make(chan struct{})
	if l.Post(func() { defer close(done); fn() }) {
		<-done
	}
}

// AfterFunc runs fn on the loop once the clock has advanced by d. Where a warp
// makes it due, the warp waits for it. A timer stopped on the loop doesn't run
// afterwards.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *clock.Timer {
	var t *clock.Timer
	armed := make(chan struct{})
	t = l.clock.AfterFunc(d, func() {
		<-armed
		generation := t.Generation()
		run := func() {
			if t.Generation() == generation {
				fn()
			}
		}
		if l.clock.Warping() {
			l.Call(run)
		} else {
			l.Post(run)
		}
	})
	close(armed)
	return t
}
