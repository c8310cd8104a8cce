package ovsdbserver

import (
	"runtime/debug"
	"runtime/metrics"
	"time"

	"weir/internal/clock"
)

// tuneInterval is how often the collector's setting follows the heap.
const tuneInterval = 10 * time.Second

// tuneCollector trades memory for fewer collections while the heap is small, as
// most databases are, and stops doing so as it grows.
func tuneCollector(clk *clock.Clock) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := 400
	switch n := live[0].Value.Uint64(); {
	case n > 512<<20:
		percent = 100
	case n > 64<<20:
		percent = 200
	}
	debug.SetGCPercent(percent)
	clk.AfterFunc(tuneInterval, func() { tuneCollector(clk) })
}
