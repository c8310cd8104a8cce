package ovsdbserver

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector runs when as much has been allocated as is in use, but not
// before garbage bytes have been: most databases are small, and would be
// collected without end. Where little is in use the limit is leastUsed times
// that.
const (
	garbage   = 80 << 20
	leastUsed = 8
)

// tuneCollector has the collector's setting follow the heap, after each
// collection.
func tuneCollector() {
	last := 0
	var tune func(struct{})
	tune = func(struct{}) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		percent := collectAt(live[0].Value.Uint64())
		if percent != last {
			debug.SetGCPercent(percent)
			last = percent
		}
		// The next collection finds this unused.
		runtime.AddCleanup(&struct{ _ [64]byte }{}, tune, struct{}{})
	}
	tune(struct{}{})
}

// collectAt returns the collector's percentage for a heap of which live bytes
// are in use, in steps so that it seldom changes.
func collectAt(live uint64) int {
	percent := garbage * 100 / max(live, 1<<20)
	return int(min(max(percent/25*25, 100), leastUsed*100))
}
