// Package ratelimit holds a stream of items to a rate: a token bucket lets
// through what the rate allows, and a bounded queue, shared fairly between the
// classes of items, keeps the rest until there are tokens (a token bucket as in
// RFC 2697 section 3, with round robin between classes and longest queue drop).
// It holds no clock: callers pass the time.
package ratelimit

import (
	"slices"
	"time"

	"weir/internal/coverage"
)

// Stats count what became of the items offered to a [Limiter].
type Stats struct {
	Bypassed uint64 // sent at once
	Queued   uint64 // put into the queue
	Dropped  uint64 // of the queued ones, those that made room for others
	Backlog  int    // in the queue now
}

// Limiter limits items of type T, each of one class, such as the port that a
// packet came in on. Its user serializes all calls. The zero Limiter isn't
// usable: make one with [New].
type Limiter[T any] struct {
	rate, burst int
	tokens      float64 // at most max(burst, 1)
	at          time.Time
	queues      map[uint32][]T
	turns       []uint32 // classes with a queue, the next one to be served first
	stats       Stats
}

// New makes a limiter of rate items per second with a full bucket. burst
// bounds both the bucket and the queue.
func New[T any](rate, burst int, now time.Time) *Limiter[T] {
	l := &Limiter[T]{queues: map[uint32][]T{}, at: now}
	l.set(rate, burst)
	l.tokens = float64(l.burst)
	return l
}

func (l *Limiter[T]) set(rate, burst int) {
	l.rate, l.burst = max(rate, 1), max(burst, 1)
}

// Configure changes the rate and the burst. What the queue holds above the new
// burst is dropped.
func (l *Limiter[T]) Configure(rate, burst int, now time.Time) {
	l.refill(now)
	l.set(rate, burst)
	l.tokens = min(l.tokens, float64(l.burst))
	for l.stats.Backlog > l.burst {
		l.dropLongest()
	}
}

// refill adds the tokens that time has earned.
func (l *Limiter[T]) refill(now time.Time) {
	if d := now.Sub(l.at); d > 0 {
		l.tokens = min(l.tokens+d.Seconds()*float64(l.rate), float64(l.burst))
		l.at = now
	}
}

// take uses up a token, if there is one.
func (l *Limiter[T]) take() bool {
	// A token that is there but for the rounding of time counts as whole.
	if l.tokens < 1-1e-9 {
		return false
	}
	l.tokens = max(l.tokens-1, 0)
	return true
}

// Offer takes an item of a class: true says that the caller is to send it now,
// false that the limiter has queued it, perhaps at the cost of another one.
func (l *Limiter[T]) Offer(class uint32, item T, now time.Time) bool {
	l.refill(now)
	if l.stats.Backlog == 0 && l.take() {
		l.stats.Bypassed++
		return true
	}
	if l.stats.Backlog >= l.burst {
		l.dropLongest()
	}
	q := l.queues[class]
	if len(q) == 0 {
		l.turns = append(l.turns, class)
	}
	l.queues[class] = append(q, item)
	l.stats.Queued++
	l.stats.Backlog++
	return false
}

// Next takes the next item that may be sent now out of the queue: the oldest
// of the class whose turn it is.
func (l *Limiter[T]) Next(now time.Time) (item T, ok bool) {
	l.refill(now)
	if l.stats.Backlog == 0 || !l.take() {
		return item, false
	}
	class := l.turns[0]
	q := l.queues[class]
	item = q[0]
	l.turns = append(l.turns[1:], class)
	l.put(class, q[1:])
	return item, true
}

// put stores what is left of a class's queue after one item has gone.
func (l *Limiter[T]) put(class uint32, q []T) {
	l.stats.Backlog--
	if len(q) > 0 {
		l.queues[class] = q
		return
	}
	delete(l.queues, class)
	l.turns = slices.DeleteFunc(l.turns, func(c uint32) bool { return c == class })
}

// coverDropped counts packets to controllers that were over their rate.
var coverDropped = coverage.New("packet_in_overflow")

// dropLongest drops the oldest item of the class that has the most, so that a
// class that offers too much hurts itself; among equals, of the one whose turn
// comes last.
func (l *Limiter[T]) dropLongest() {
	longest := l.turns[len(l.turns)-1]
	for _, c := range slices.Backward(l.turns) {
		if len(l.queues[c]) > len(l.queues[longest]) {
			longest = c
		}
	}
	l.put(longest, l.queues[longest][1:])
	l.stats.Dropped++
	coverDropped.Inc()
}

// Wait is how long from now on it takes until Next gives an item; ok is false
// while nothing is queued.
func (l *Limiter[T]) Wait(now time.Time) (d time.Duration, ok bool) {
	if l.stats.Backlog == 0 {
		return 0, false
	}
	l.refill(now)
	missing := 1 - l.tokens
	if missing <= 1e-9 {
		return 0, true
	}
	return time.Duration(missing / float64(l.rate) * float64(time.Second)), true
}

// Stats are the counters since the limiter was made.
func (l *Limiter[T]) Stats() Stats { return l.stats }
