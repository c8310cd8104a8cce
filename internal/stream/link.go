package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"weir/internal/clock"
)

// Link is an FSM with a clock and a lock: the thin shell that keeps a connection
// up (Maintain) and watches one that is there (Watch). Any goroutine may use it.
type Link struct {
	clock *clock.Clock

	mu    sync.Mutex // owns all below
	fsm   *FSM
	watch *watch // nil: nothing is watched
}

// watch is a connection, or an attempt, under observation.
type watch struct {
	probe, drop func() // called without the link's lock
	timer       *clock.Timer
}

// NewLink returns a link that does nothing yet. Its messages call it name.
func NewLink(name string, clk *clock.Clock, log Logger) *Link {
	return &Link{clock: clk, fsm: NewFSM(name, clk.Now(), log)}
}

// Do has fn see or change the FSM, and takes note of changed intervals.
func (l *Link) Do(fn func(f *FSM, now time.Time)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(l.fsm, l.clock.Now())
	l.arm()
}

// Activity reports that something arrived from the peer.
func (l *Link) Activity() {
	l.mu.Lock()
	l.fsm.Activity(l.clock.Now())
	l.mu.Unlock()
}

// Watch has probe called when the peer has been silent for too long, so that it
// be sent something to answer, and drop when the attempt or the connection is to
// be given up, until stop is called. There can be one watch at a time.
func (l *Link) Watch(probe, drop func()) (stop func()) {
	w := &watch{probe: probe, drop: drop}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = w
	l.arm()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.watch == w {
			l.watch = nil
		}
		if w.timer != nil {
			w.timer.Stop()
		}
	}
}

// arm sets the timer for what is due next to what is watched. mu is held.
func (l *Link) arm() {
	w := l.watch
	if w == nil {
		return
	}
	wait, ok := l.fsm.Wait(l.clock.Now())
	switch {
	case ok && wait == 0:
		go l.tick(w) // the caller may hold what probe and drop take; and the clock may stand
	case !ok:
		if w.timer != nil {
			w.timer.Stop()
		}
	case w.timer == nil:
		w.timer = l.clock.AfterFunc(wait, func() { l.tick(w) })
	default:
		w.timer.Reset(wait)
	}
}

// tick does what is due.
func (l *Link) tick(w *watch) {
	l.mu.Lock()
	if l.watch != w {
		l.mu.Unlock()
		return
	}
	action := l.fsm.Run(l.clock.Now())
	if action == Disconnect {
		l.watch = nil // once is enough
	}
	l.arm()
	l.mu.Unlock()
	switch action {
	case Probe:
		w.probe()
	case Disconnect:
		w.drop()
	}
}

// ErrGiveUp is what a serve function returns to have Maintain end.
var ErrGiveUp = errors.New("not worth trying again")

// Upkeep is how a connection is made and used, for Maintain.
type Upkeep struct {
	// Next, if not nil, is asked before each attempt what to call it from then on.
	Next func() (name string)
	// Dial makes a connection. It ends early when ctx does.
	Dial func(ctx context.Context) (*Conn, error)
	// Serve has a connection until it ends, as it does early when ctx ends. why is
	// what the FSM is told, "" where the peer closed it; ErrGiveUp ends Maintain.
	Serve func(ctx context.Context, c *Conn) (why string, err error)
	// Failed, if not nil, is told of attempts that failed.
	Failed func(why string)
}

// Maintain keeps a connection up until ctx ends or the FSM is done trying. What ends
// because ctx does is no failure.
func (l *Link) Maintain(ctx context.Context, up Upkeep) {
	l.Do((*FSM).Enable)
	defer l.Do((*FSM).Disable)
	for ctx.Err() == nil {
		l.mu.Lock()
		action := l.fsm.Run(l.clock.Now())
		wait, ok := l.fsm.Wait(l.clock.Now())
		l.mu.Unlock()
		if action == Connect {
			if err := l.attempt(ctx, &up); errors.Is(err, ErrGiveUp) {
				return
			}
			continue
		}
		if !ok {
			return
		}
		l.clock.Sleep(ctx, wait)
	}
}

// attempt connects once and has the connection served to its end.
func (l *Link) attempt(ctx context.Context, up *Upkeep) error {
	if up.Next != nil {
		name := up.Next()
		l.Do(func(f *FSM, _ time.Time) { f.Name = name })
	}
	l.Do((*FSM).Connecting)
	c, err := l.dial(ctx, up.Dial)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		why := ErrText(err)
		if up.Failed != nil {
			up.Failed(why)
		}
		l.Do(func(f *FSM, now time.Time) { f.ConnectFailed(now, why) })
		return nil
	}
	l.Do((*FSM).Connected)
	why, err := up.Serve(ctx, c)
	if ctx.Err() == nil {
		l.Do(func(f *FSM, now time.Time) { f.Disconnected(now, why) })
	}
	return err
}

// dial connects for as long as the FSM allows it.
func (l *Link) dial(ctx context.Context, dial func(context.Context) (*Conn, error)) (*Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := l.Watch(func() {}, func() { cancel(context.DeadlineExceeded) })
	defer stop()
	c, err := dial(ctx)
	if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return nil, context.DeadlineExceeded
	}
	return c, err
}
