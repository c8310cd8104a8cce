// Package clock is the time that a daemon lives by: it runs with the machine's
// monotonic clock until it is stopped, and can be warped forward, so that tests
// drive every timer of a daemon (`ovs-appctl time/stop`, `time/warp`).
//
// Everything that waits asks a Clock. After Warp returns, every timer that became
// due has run, and so have the hooks of OnStep.
package clock

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/pqueue"
)

// Clock is a source of time and timers. Its mutex owns its fields; timer
// functions and hooks run without it.
type Clock struct {
	mu      sync.Mutex
	offset  time.Duration // virtual less real time, while running
	stopped bool
	frozen  time.Time            // the virtual time, while stopped
	timers  pqueue.Queue[*Timer] // by due time
	wake    *time.Timer          // fires when the first timer is due, while running
	firing  int                  // goroutines of wake that run timers
	quiet   sync.Cond            // firing has become zero
	hooks   []*hook

	warping atomic.Int32
	warpMu  sync.Mutex // one warp at a time
}

type hook struct{ fn func() }

// New returns a running clock that shows the real time.
func New() *Clock {
	c := &Clock{timers: pqueue.New((*Timer).before, (*Timer).place)}
	c.quiet.L = &c.mu
	return c
}

// Now returns the virtual time, for measuring and scheduling. It keeps a
// monotonic reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.stopped {
		return c.frozen
	}
	return time.Now().Add(c.offset)
}

// Wall returns the time of day, which neither Stop nor Warp affects.
func (c *Clock) Wall() time.Time { return time.Now() }

// Since returns the virtual time elapsed since t.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Timer is a function waiting for its time. Its clock's mutex owns it.
type Timer struct {
	clock *Clock
	due   time.Time
	fn    func()
	index int // in the clock's timers

	generation atomic.Uint64 // counts Reset and Stop
}

func (t *Timer) before(o *Timer) bool { return t.due.Before(o.due) }

func (t *Timer) place() *int { return &t.index }

// Generation counts the timer's Reset and Stop calls. A function that carries the
// timer's work elsewhere compares it to find out that the timer was stopped
// meanwhile.
func (t *Timer) Generation() uint64 { return t.generation.Load() }

// AfterFunc runs fn once the clock has advanced by d. It runs on a goroutine of
// the clock's, or, when a warp makes it due, on that of Warp; a daemon's
// configuration state wants loop.AfterFunc instead.
func (c *Clock) AfterFunc(d time.Duration, fn func()) *Timer {
	t := &Timer{clock: c, fn: fn, index: pqueue.Absent}
	t.Reset(d)
	return t
}

// Every runs fn as AfterFunc does, and again each time that the clock has
// advanced by d since fn returned, until the timer is stopped.
func (c *Clock) Every(d time.Duration, fn func()) *Timer {
	t := &Timer{clock: c, index: pqueue.Absent}
	t.fn = func() {
		generation := t.Generation()
		fn()
		c.mu.Lock()
		defer c.mu.Unlock()
		if t.Generation() == generation {
			t.reset(d)
		}
	}
	t.Reset(d)
	return t
}

// After returns a channel that gets the time once the clock has advanced by d.
// What its receiver then does, Warp doesn't wait for.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	c.AfterFunc(d, func() { ch <- c.Now() })
	return ch
}

// Sleep waits until the clock has advanced by d; false says that ctx ended first.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) bool {
	over := make(chan struct{})
	timer := c.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// Reset makes the timer due d from now, whether or not it has run or been
// stopped.
func (t *Timer) Reset(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.reset(d)
}

// reset is Reset for those that hold the clock's mutex.
func (t *Timer) reset(d time.Duration) {
	c := t.clock
	t.generation.Add(1)
	t.due = c.now().Add(d)
	if t.index != pqueue.Absent {
		c.timers.Fix(t)
	} else {
		c.timers.Push(t)
	}
	c.schedule()
}

// Stop keeps the timer from running and says whether it was waiting.
func (t *Timer) Stop() bool {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	t.generation.Add(1)
	if t.index == pqueue.Absent {
		return false
	}
	c.timers.Remove(t)
	return true
}

// schedule sets the real timer that wakes the clock for its first timer.
func (c *Clock) schedule() {
	if c.stopped || c.timers.Len() == 0 {
		return
	}
	wait := max(c.timers.First().due.Sub(c.now()), 0)
	if c.wake == nil {
		c.wake = time.AfterFunc(wait, c.fire)
	} else {
		c.wake.Reset(wait)
	}
}

// fire runs, on the real timer's goroutine, what is due.
func (c *Clock) fire() {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return
	}
	c.firing++
	c.mu.Unlock()
	c.runDue()
	c.mu.Lock()
	if c.firing--; c.firing == 0 {
		c.quiet.Broadcast()
	}
	c.schedule()
	c.mu.Unlock()
}

// settle waits for timers that became due before a warp and still run.
func (c *Clock) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.firing > 0 {
		c.quiet.Wait()
	}
}

// runDue runs all timers due by now, in the order of their times, also those that
// they start and that are due at once. A timer that always restarts itself
// without waiting yields after as many runs as the bound.
func (c *Clock) runDue() {
	const bound = 100_000
	for range bound {
		c.mu.Lock()
		if c.timers.Len() == 0 || c.timers.First().due.After(c.now()) {
			c.mu.Unlock()
			return
		}
		t := c.timers.Pop()
		c.mu.Unlock()
		t.fn()
	}
}

// Stop freezes the time; from then on only Warp advances it.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.frozen = c.now()
	c.stopped = true
	if c.wake != nil {
		c.wake.Stop()
	}
}

// Warp advances the time by total, in steps (of total where step is not
// positive), and after each runs what became due and the hooks of OnStep. Timers
// that were due before have run, too, when it returns. It must not be called from
// a timer function or hook.
func (c *Clock) Warp(total, step time.Duration) {
	c.WarpWhile(total, step, func() bool { return true })
}

// WarpWhile is Warp that goes no further when on, asked before each step, says so.
func (c *Clock) WarpWhile(total, step time.Duration, on func() bool) {
	c.warpMu.Lock()
	defer c.warpMu.Unlock()
	c.warping.Add(1)
	defer c.warping.Add(-1)
	c.settle()
	if step <= 0 {
		step = total
	}
	for total > 0 && on() {
		d := min(step, total)
		total -= d
		c.advance(d)
		c.runDue()
		c.runHooks()
		c.runDue()
	}
	c.mu.Lock()
	c.schedule()
	c.mu.Unlock()
}

// Warping says whether a warp is under way: a timer function that hands its work
// to another goroutine must then wait for it.
func (c *Clock) Warping() bool { return c.warping.Load() > 0 }

func (c *Clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		c.frozen = c.frozen.Add(d)
	} else {
		c.offset += d
	}
}

// OnStep has fn called after each step of a warp, in the order of registration,
// when the timers then due have run. The returned function ends that.
func (c *Clock) OnStep(fn func()) (remove func()) {
	h := &hook{fn}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(c.hooks, h)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hooks = slices.DeleteFunc(slices.Clone(c.hooks), func(x *hook) bool { return x == h })
	}
}

func (c *Clock) runHooks() {
	c.mu.Lock()
	hooks := slices.Clone(c.hooks)
	c.mu.Unlock()
	for _, h := range hooks {
		h.fn()
	}
}

// Ticks counts the nanoseconds of the machine's monotonic clock since some
// moment of the past. Neither Stop nor Warp affects it: it is for measuring what
// work costs, never for scheduling.
func Ticks() int64 { return int64(time.Since(base)) }

var base = time.Now()
