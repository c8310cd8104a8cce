package vswitchd

import (
	"runtime/debug"
	"runtime/metrics"
	"time"

	"weir/internal/clock"
)

// tuneInterval is how often the collector's setting follows the heap.
const tuneInterval = 10 * time.Second

// tuneCollector trades memory for fewer collections, less so as the heap grows:
// a burst of new flows should not be paid for twice.
func tuneCollector(clk *clock.Clock) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := 400
	if live[0].Value.Uint64() > 512<<20 {
		percent = 150
	}
	debug.SetGCPercent(percent)
	clk.AfterFunc(tuneInterval, func() { tuneCollector(clk) })
}
