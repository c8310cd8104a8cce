package vswitchd

import (
	"runtime/debug"
	"runtime/metrics"
	"time"

	"weir/internal/clock"
)

// memoryKeeper gives memory back to the system when the switch has come to rest
// after it grew: the runtime would keep what a burst of changes left behind. It
// belongs to its timer.
type memoryKeeper struct {
	samples []metrics.Sample
	seen    uint64 // bytes allocated in all at the last look
	since   uint64 // the same when memory was given back last
	timer   *clock.Timer
}

const (
	// keeperInterval is how often a memoryKeeper looks.
	keeperInterval = 2 * time.Second
	// restful is how many bytes a switch at rest allocates in that time at most.
	restful = 2 << 20
	// worthwhile is how much must have been allocated, and be left over, for a
	// collection to be worth its time.
	worthwhile = 8 << 20
)

// keepMemory starts a memoryKeeper. Stopping the timer ends it.
func keepMemory(c *clock.Clock) *clock.Timer {
	k := &memoryKeeper{}
	for _, name := range []string{
		"/gc/heap/allocs:bytes", "/gc/heap/live:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes",
	} {
		k.samples = append(k.samples, metrics.Sample{Name: name})
	}
	k.timer = c.AfterFunc(keeperInterval, func() {
		k.look()
		k.timer.Reset(keeperInterval)
	})
	return k.timer
}

func (k *memoryKeeper) look() {
	metrics.Read(k.samples)
	n := func(i int) uint64 { return k.samples[i].Value.Uint64() }
	allocated, live := n(0), n(1)
	resting := allocated-k.seen < restful
	k.seen = allocated
	left := n(2) + n(3) + n(4) - min(live, n(2))
	if resting && allocated-k.since > worthwhile && left > max(worthwhile, live/8) {
		debug.FreeOSMemory()
		k.since = allocated
	}
}
