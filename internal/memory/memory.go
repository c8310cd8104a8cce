// Package memory says how much garbage a daemon may keep, and gives memory back
// to the system when the daemon has come to rest.
package memory

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"weir/internal/clock"
)

// Policy trades memory for fewer collections: it returns how many bytes may be
// allocated before the next one where live bytes are in use.
type Policy func(live uint64) uint64

const mb = 1 << 20

// Database is the policy of the database server: one that holds little shall not
// take much, and one that holds more not be collected all the time.
func Database(live uint64) uint64 {
	return max(4*mb, min(2*(max(live, 4*mb)-4*mb), 80*mb), live)
}

// Switch is the policy of the switch, where a burst of new flows should not be
// paid for twice.
func Switch(live uint64) uint64 { return max(min(4*live, 256*mb), live*3/2) }

// runtimeLeast is the heap below which the runtime doesn't collect at a setting of
// 100 %; it goes with the setting.
const runtimeLeast = 4 * mb

// step is by how many per cent the setting changes: each change stops the world.
const step = 25

// percent returns the collector's setting for a heap of which live bytes are in
// use.
func (p Policy) percent(live uint64) int {
	live = max(live, runtimeLeast)
	return int(p(live) * 100 / live / step * step)
}

// Keeper keeps a process to its policy. The setting follows the heap after each
// collection; when little has been allocated for a while, what bursts left behind
// goes back to the system, which the runtime would put off.
type Keeper struct {
	policy  Policy
	last    int // the setting; of the goroutine of cleanups
	stopped atomic.Bool

	// Of the timer.
	samples []metrics.Sample
	seen    uint64 // bytes allocated in all at the last look
	since   uint64 // the same when memory was given back last
	timer   *clock.Timer
}

const (
	// interval is how often a Keeper looks whether the process is at rest.
	interval = 2 * time.Second
	// restful is how many bytes a process at rest allocates in that time at most.
	restful = 2 * mb
	// worthwhile is how much must have been allocated for a collection to be worth
	// its time, or an eighth of what is in use.
	worthwhile = 8 * mb
)

// Keep has the process keep to a policy. There is one Keeper in a process.
func Keep(c *clock.Clock, p Policy) *Keeper {
	k := &Keeper{policy: p}
	k.follow(struct{}{})
	k.samples = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	k.timer = c.Every(interval, k.look)
	return k
}

// Stop ends the Keeper's work; the last setting stays.
func (k *Keeper) Stop() {
	k.stopped.Store(true)
	k.timer.Stop()
}

// follow has the setting follow the heap, now and after the next collection.
func (k *Keeper) follow(struct{}) {
	if k.stopped.Load() {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if percent := k.policy.percent(live[0].Value.Uint64()); percent != k.last {
		debug.SetGCPercent(percent)
		k.last = percent
	}
	// The next collection finds this unused.
	runtime.AddCleanup(&struct{ _ [64]byte }{}, k.follow, struct{}{})
}

// look gives memory back if the process is at rest and has allocated much since it
// did so last: how much of that is garbage only a collection tells.
func (k *Keeper) look() {
	metrics.Read(k.samples)
	allocated, live := k.samples[0].Value.Uint64(), k.samples[1].Value.Uint64()
	resting := allocated-k.seen < restful
	k.seen = allocated
	if resting && allocated-k.since > max(worthwhile, live/8) {
		debug.FreeOSMemory()
		k.since = allocated
	}
}
