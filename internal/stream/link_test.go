package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/clock"
)

// stopped returns a clock that stands still until it is warped.
func stopped() *clock.Clock {
	c := clock.New()
	c.Stop()
	return c
}

// eventually warps the clock until something has happened.
func eventually(t *testing.T, clk *clock.Clock, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		clk.Warp(100*time.Millisecond, 100*time.Millisecond)
		time.Sleep(time.Millisecond)
	}
}

// Maintain connects again and again, by other names, until it is told to stop.
func TestMaintain(t *testing.T) {
	clk := stopped()
	l := NewLink("first", clk, nil)
	names := []string{"a", "b"}
	var tried, served atomic.Int32
	var failed []string
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Maintain(ctx, Upkeep{
			Next: func() string { return names[int(tried.Load())%2] },
			Dial: func(context.Context) (*Conn, error) {
				if tried.Add(1)%2 == 1 {
					return nil, errors.New("no luck")
				}
				here, _ := net.Pipe()
				return &Conn{here, "pipe"}, nil
			},
			Serve: func(_ context.Context, c *Conn) (string, error) {
				l.Do(func(f *FSM, _ time.Time) {
					if f.Name != "b" || f.State() != Active {
						t.Errorf("served as %s in %v", f.Name, f.State())
					}
				})
				served.Add(1)
				return "", io.EOF
			},
			Failed: func(why string) { failed = append(failed, why) },
		})
	}()
	eventually(t, clk, "three connections", func() bool { return served.Load() >= 3 })
	cancel()
	<-done
	if len(failed) < 3 || failed[0] != "no luck" {
		t.Errorf("failed: %v", failed)
	}
}

// An attempt that takes too long is given up, by the clock's time.
func TestMaintainSlowDial(t *testing.T) {
	clk := stopped()
	l := NewLink("x", clk, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var timeouts atomic.Int32
	go l.Maintain(ctx, Upkeep{
		Dial: func(ctx context.Context) (*Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Failed: func(why string) {
			if why == "Connection timed out" {
				timeouts.Add(1)
			}
		},
	})
	eventually(t, clk, "two timeouts", func() bool { return timeouts.Load() >= 2 })
}

// ErrGiveUp ends it.
func TestMaintainGivesUp(t *testing.T) {
	l := NewLink("x", clock.New(), nil)
	here, _ := net.Pipe()
	l.Maintain(context.Background(), Upkeep{
		Dial:  func(context.Context) (*Conn, error) { return &Conn{here, "pipe"}, nil },
		Serve: func(context.Context, *Conn) (string, error) { return "", ErrGiveUp },
	})
}

// A silent peer is probed and then dropped, once; one that answers is not.
func TestWatch(t *testing.T) {
	clk := stopped()
	l := NewLink("x", clk, nil)
	l.Do(func(f *FSM, now time.Time) { f.Enable(now); f.Connected(now) })
	var probes, drops atomic.Int32
	answer := atomic.Bool{}
	answer.Store(true)
	stop := l.Watch(func() {
		probes.Add(1)
		if answer.Load() {
			l.Activity()
		}
	}, func() { drops.Add(1) })
	eventually(t, clk, "four probes", func() bool { return probes.Load() >= 4 })
	if drops.Load() != 0 {
		t.Error("an answering peer was dropped")
	}
	answer.Store(false)
	eventually(t, clk, "the end", func() bool { return drops.Load() == 1 })
	clk.Warp(time.Minute, time.Second)
	if drops.Load() != 1 {
		t.Errorf("dropped %d times", drops.Load())
	}
	stop()

	// Without an interval nobody is probed; a new one takes effect at once.
	l.Do(func(f *FSM, now time.Time) { f.Disconnected(now, ""); f.Connected(now); f.ProbeAfter = 0 })
	probes.Store(0)
	stop = l.Watch(func() { probes.Add(1) }, func() {})
	clk.Warp(time.Minute, time.Second)
	if probes.Load() != 0 {
		t.Error("probed without an interval")
	}
	l.Do(func(f *FSM, _ time.Time) { f.ProbeAfter = time.Second })
	eventually(t, clk, "a probe", func() bool { return probes.Load() > 0 })
	stop()
}

// What is due at once is done at once, also while the clock stands: a connection that
// is to be made anew is dropped, and one that has been silent for longer than a new
// interval is probed.
func TestWatchDueAtOnce(t *testing.T) {
	clk := stopped()
	l := NewLink("x", clk, nil)
	l.Do(func(f *FSM, now time.Time) { f.ProbeAfter = 0; f.Enable(now); f.Connected(now) })
	probed, dropped := make(chan bool, 1), make(chan bool, 1)
	defer l.Watch(func() { probed <- true }, func() { dropped <- true })()
	clk.Warp(time.Minute, time.Second)
	if len(probed)+len(dropped) != 0 {
		t.Fatal("a peer is probed or dropped without probes")
	}
	l.Do(func(f *FSM, _ time.Time) { f.ProbeAfter = time.Second })
	<-probed
	l.Activity()
	l.Do((*FSM).ForceReconnect)
	<-dropped
	l.Do((*FSM).ForceReconnect)
	if len(dropped) != 0 {
		t.Error("a connection is dropped twice")
	}
}

// Whoever ends Maintain has not met a failure: nobody is told of one, and the FSM is
// disabled.
func TestMaintainEnds(t *testing.T) {
	for _, dials := range []bool{true, false} {
		l := NewLink("x", clock.New(), nil)
		ctx, cancel := context.WithCancel(context.Background())
		l.Maintain(ctx, Upkeep{
			Dial: func(ctx context.Context) (*Conn, error) {
				if dials {
					here, _ := net.Pipe()
					return &Conn{here, "pipe"}, nil
				}
				cancel()
				return nil, ctx.Err()
			},
			Serve:  func(context.Context, *Conn) (string, error) { cancel(); return "closed by us", nil },
			Failed: func(why string) { t.Errorf("failed: %s", why) },
		})
		l.Do(func(f *FSM, _ time.Time) {
			if f.State() != Void || f.LastError() != "" {
				t.Errorf("connected %v: ended in %v with %q", dials, f.State(), f.LastError())
			}
		})
	}
}
