package vswitchd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/clock"
	"weir/internal/loop"
)

// A worker that ends is started again, whatever it ended with; one whose switch ends
// is not.
func TestWorkerIsKept(t *testing.T) {
	clk := clock.New()
	clk.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begun := make(chan bool)
	end := make(chan error)
	w := worker{"testing", func(context.Context) error { begun <- true; return <-end }}
	kept := make(chan struct{})
	go func() { w.keep(ctx, clk); close(kept) }()
	<-begun
	restarts := workerRestarts.Load()
	for _, err := range []error{errors.New("no socket"), nil, errors.New("no socket")} {
		end <- err
		for again := false; !again; { // until the pause has begun, and passed
			select {
			case again = <-begun:
			default:
				clk.Warp(time.Second, time.Second)
			}
		}
	}
	if n := workerRestarts.Load() - restarts; n != 3 {
		t.Errorf("%d restarts were counted, want 3", n)
	}
	cancel()
	end <- context.Canceled
	<-kept
}

// Pauses grow to the longest, and are short again after a worker that has worked.
func TestWorkerPauses(t *testing.T) {
	var got []time.Duration
	var pause time.Duration
	for _, ran := range []time.Duration{0, 1, 0, 3, 0, 0, 29, 30, 0} {
		pause = nextPause(pause, ran*time.Second)
		got = append(got, pause/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 30, 30, 1, 2}, got); diff != "" {
		t.Error(diff)
	}
}

// A switch that can't run says so, whatever else it does.
func TestRunWithoutDatabase(t *testing.T) {
	clk := clock.New()
	l := loop.New(clk)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.Run(ctx)
	s := New(Options{Database: " ", Clock: clk, Loop: l})
	s.workers = []worker{{"waiting", func(ctx context.Context) error { <-ctx.Done(); return nil }}}
	err := s.Run(ctx)
	if diff := cmp.Diff(`database " ": no remote to connect to`, err.Error()); diff != "" {
		t.Error(diff)
	}
}

// A switch that is closed doesn't look at its devices any more: what their data
// path counted is gone, and the loop goes on for a while.
func TestCloseEndsLooking(t *testing.T) {
	clk := clock.New()
	clk.Stop()
	l := loop.New(clk)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.Run(ctx)
	s := New(Options{Database: " ", Clock: clk, Loop: l})
	looked := func() (next time.Time) {
		clk.Warp(time.Minute, time.Second)
		l.Call(func() { next = s.nextStats })
		return next
	}
	l.Call(s.tick)
	if first := looked(); !looked().After(first) {
		t.Fatal("it doesn't look while it runs")
	}
	s.Close(false)
	if last := looked(); looked().After(last) {
		t.Error("it goes on looking")
	}
}
