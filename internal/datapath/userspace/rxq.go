package userspace

import (
	"sync/atomic"
	"time"

	"weir/internal/clock"
)

const (
	// intervalLen is how long load is measured for one figure, intervals how
	// many of them are kept.
	intervalLen = 5 * time.Second
	intervals   = 12
)

// usage is what was measured in each of the last intervals, ns. The data
// path's reconfiguration mutex owns it.
type usage struct {
	past [intervals]uint64
	n    int // intervals measured so far
}

func (u *usage) push(v uint64) {
	u.past[u.n%intervals] = v
	u.n++
}

// last sums the last n intervals, fewer where there were fewer.
func (u *usage) last(n int) uint64 {
	var sum uint64
	for i := range min(n, u.n, intervals) {
		sum += u.past[(u.n-1-i)%intervals]
	}
	return sum
}

// rxq is a receive queue of a port that threads poll. It stays the same when
// it moves to another thread.
type rxq struct {
	port *port
	q    int
	fd   int // -1: the device notifies
	// taken is set while a thread receives from the queue: when queues move,
	// the old and the new owner may be at it at once.
	taken atomic.Bool
	owner atomic.Pointer[worker] // who is woken by the device; nil: nobody polls the queue
	busy  atomic.Int64           // ns spent on its packets since the interval began
	load  usage
}

// service polls a queue and charges the time to it. again says that another
// thread is at it.
func (w *worker) service(q *rxq) (n int, again bool) {
	if !q.taken.CompareAndSwap(false, true) {
		return 0, true
	}
	n = w.poll(q.port, q.q)
	q.taken.Store(false)
	now := clock.Ticks()
	if n > 0 {
		q.busy.Add(now - w.poller.mark)
		w.poller.packets += n
	}
	w.poller.mark = now
	return n, false
}
