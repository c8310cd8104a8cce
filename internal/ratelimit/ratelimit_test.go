package ratelimit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var start = time.Unix(1000, 0)

// The bucket lets a burst through; then items wait for the rate.
func TestRate(t *testing.T) {
	l := New[int](100, 25, start)
	for i := range 60 {
		if sent := l.Offer(1, i, start); sent != (i < 25) {
			t.Fatalf("item %d: sent %t", i, sent)
		}
	}
	want := Stats{Bypassed: 25, Queued: 35, Dropped: 10, Backlog: 25}
	if d := cmp.Diff(want, l.Stats()); d != "" {
		t.Fatal(d)
	}
	if _, ok := l.Next(start); ok {
		t.Fatal("an item without a token")
	}
	if d, ok := l.Wait(start); !ok || d != 10*time.Millisecond {
		t.Fatalf("the next token in %s, %t", d, ok)
	}
	now := start.Add(50 * time.Millisecond)
	for i := range 5 {
		// The oldest ten made room.
		if got, ok := l.Next(now); !ok || got != 35+i {
			t.Fatalf("item %d, %t", got, ok)
		}
	}
	if _, ok := l.Next(now); ok {
		t.Fatal("six items in 50 ms at 100 per second")
	}
}

// A class that offers much doesn't take what others need.
func TestFairBetweenClasses(t *testing.T) {
	l := New[string](1, 10, start)
	for range 10 {
		l.Offer(9, "first", start) // empty the bucket
	}
	for range 100 {
		l.Offer(1, "loud", start)
	}
	for range 3 {
		l.Offer(2, "quiet", start)
	}
	got := map[string]int{}
	now := start
	for range 6 {
		now = now.Add(time.Second)
		item, ok := l.Next(now)
		if !ok {
			t.Fatal("nothing to send")
		}
		got[item]++
	}
	if d := cmp.Diff(map[string]int{"loud": 3, "quiet": 3}, got); d != "" {
		t.Fatal(d)
	}
}

// A smaller burst drops what no longer fits.
func TestConfigure(t *testing.T) {
	l := New[int](100, 50, start)
	for i := range 100 {
		l.Offer(uint32(i%3), i, start)
	}
	l.Configure(100, 20, start)
	if s := l.Stats(); s.Backlog != 20 || s.Dropped != 30 {
		t.Fatalf("%+v", s)
	}
}

// Whatever is offered is sent, dropped or waits; the order within a class is
// kept; no more passes than the rate and the bucket allow.
func TestLimiterLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 1000).Draw(t, "rate")
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		l := New[int](rate, burst, start)
		now, sent := start, 0
		last := map[uint32]int{}
		offered := map[int]uint32{}
		send := func(n int) {
			c := offered[n]
			if n <= last[c] {
				t.Fatalf("class %d: %d after %d", c, n, last[c])
			}
			last[c] = n
			sent++
		}
		for n := 1; n <= 200; n++ {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ms")) * time.Millisecond)
			if rapid.Bool().Draw(t, "next") {
				if i, ok := l.Next(now); ok {
					send(i)
				}
				continue
			}
			c := uint32(rapid.IntRange(0, 3).Draw(t, "class"))
			offered[n] = c
			if l.Offer(c, n, now) {
				send(n)
			}
		}
		s := l.Stats()
		if len(offered) != sent+int(s.Dropped)+s.Backlog || s.Backlog > burst {
			t.Fatalf("%d offered, %d sent, %+v", len(offered), sent, s)
		}
		if may := float64(burst) + now.Sub(start).Seconds()*float64(rate) + 1e-6; float64(sent) > may {
			t.Fatalf("%d sent, %g allowed", sent, may)
		}
		if d, ok := l.Wait(now); ok {
			if _, ok := l.Next(now.Add(d + time.Nanosecond)); !ok {
				t.Fatal("Wait is too short")
			}
		}
	})
}
