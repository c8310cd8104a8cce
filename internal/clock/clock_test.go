package clock

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWarpRunsWhatBecomesDue(t *testing.T) {
	c := New()
	c.Stop()
	start := c.Now()
	var got []string
	note := func(what string) { got = append(got, what+"@"+c.Now().Sub(start).String()) }
	c.AfterFunc(250*time.Millisecond, func() {
		note("b")
		c.AfterFunc(50*time.Millisecond, func() { note("c") })
	})
	c.AfterFunc(100*time.Millisecond, func() { note("a") })
	c.AfterFunc(time.Hour, func() { note("never") })
	stopped := c.AfterFunc(time.Millisecond, func() { note("stopped") })
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop must tell whether the timer was waiting")
	}
	remove := c.OnStep(func() { note("step") })
	c.Warp(300*time.Millisecond, 100*time.Millisecond)
	want := []string{"a@100ms", "step@100ms", "step@200ms", "b@300ms", "step@300ms"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	remove()
	got = nil
	c.Warp(60*time.Millisecond, 0)
	if diff := cmp.Diff([]string{"c@360ms"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRunningClock(t *testing.T) {
	c := New()
	done := make(chan time.Duration, 1)
	start := c.Now()
	c.AfterFunc(20*time.Millisecond, func() { done <- c.Since(start) })
	if d := <-done; d < 20*time.Millisecond {
		t.Errorf("ran after %v", d)
	}
	before := c.Now()
	c.AfterFunc(time.Hour, func() { done <- 0 })
	c.Warp(time.Hour, time.Minute)
	<-done
	if d := c.Since(before); d < time.Hour || d > time.Hour+time.Minute {
		t.Errorf("an hour's warp took %v of virtual time", d)
	}
	timer := c.AfterFunc(time.Hour, func() { done <- 0 })
	timer.Reset(time.Millisecond)
	<-done
}

func TestStoppedClockStands(t *testing.T) {
	var c *Clock
	var a time.Time
	var ran *atomic.Bool
	for late := true; late; { // until it stops before the timer is due
		c, ran = New(), new(atomic.Bool)
		due := c.Now().Add(5 * time.Millisecond)
		c.AfterFunc(5*time.Millisecond, func() { ran.Store(true) })
		c.Stop()
		a = c.Now()
		late = !a.Before(due)
	}
	time.Sleep(20 * time.Millisecond)
	if b := c.Now(); !b.Equal(a) {
		t.Errorf("time went on by %v", b.Sub(a))
	}
	if ran.Load() {
		t.Error("a timer ran though the clock stands")
	}
}

// A warp waits for a timer that runs when the clock stops, and so does what the
// timer does next.
func TestWarpWaitsForRunningTimers(t *testing.T) {
	c := New()
	started, again := make(chan struct{}), false
	c.AfterFunc(0, func() {
		close(started)
		for !c.Warping() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond)
		c.AfterFunc(time.Second, func() { again = true })
	})
	<-started
	c.Stop()
	c.Warp(time.Second, 0)
	if !again {
		t.Error("the warp answered before a timer had run that it had made due")
	}
}

// Every runs again and again, and not after it was stopped, even by itself.
func TestEvery(t *testing.T) {
	c := New()
	c.Stop()
	n := 0
	var timer *Timer
	timer = c.Every(time.Second, func() {
		if n++; n == 3 {
			timer.Stop()
		}
	})
	c.Warp(2*time.Second, time.Second)
	if n != 2 {
		t.Errorf("ran %d times in two seconds", n)
	}
	c.Warp(10*time.Second, time.Second)
	if n != 3 {
		t.Errorf("ran %d times, want 3", n)
	}
}

// Sleep ends when the time has come or the context has ended, whichever is first.
func TestSleep(t *testing.T) {
	c := New()
	c.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	slept := make(chan bool)
	sleep := func() { slept <- c.Sleep(ctx, time.Second) }
	go sleep()
	for done := false; !done; {
		select {
		case ok := <-slept:
			if done = true; !ok {
				t.Error("a sleep to its end says that it was cut short")
			}
		default:
			c.Warp(time.Second, time.Second)
		}
	}
	go sleep()
	cancel()
	if <-slept {
		t.Error("a sleep that was cut short says that it is over")
	}
	if n := c.timers.Len(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}
