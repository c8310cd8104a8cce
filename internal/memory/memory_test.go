package memory

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"weir/internal/clock"
)

// Nothing in use, a little, and much: how far the heap may grow.
func TestPolicies(t *testing.T) {
	for _, tt := range []struct {
		policy     Policy
		live, want uint64 // MB
	}{
		{Database, 0, 4}, {Database, 5, 5}, {Database, 12, 16}, {Database, 28, 48}, {Database, 60, 80}, {Database, 200, 200},
		{Switch, 10, 40}, {Switch, 64, 256}, {Switch, 100, 256}, {Switch, 400, 600},
	} {
		if got := tt.policy(tt.live * mb); got != tt.want*mb {
			t.Errorf("%d MB in use: %d MB, want %d", tt.live, got/mb, tt.want)
		}
	}
	if got := Policy(Database).percent(0); got != 100 {
		t.Errorf("an empty heap is collected at %d %%", got)
	}
}

// The setting follows the heap, and what a burst leaves behind goes back to the
// system when the process is at rest.
func TestKeeper(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	c := clock.New()
	c.Stop()
	k := Keep(c, func(live uint64) uint64 { return 3 * live })
	defer k.Stop()
	burst := make([][]byte, 200)
	for i := range burst {
		burst[i] = make([]byte, mb)
		for j := 0; j < mb; j += 4096 {
			burst[i][j] = 1
		}
	}
	c.Warp(interval, interval)
	before := released()
	runtime.KeepAlive(burst)
	burst = nil
	c.Warp(2*interval, interval)
	if got := released() - before; got < 100*mb {
		t.Errorf("%d MB went back", got/mb)
	}
	setting := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	// It follows some time after a collection.
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		metrics.Read(setting)
		percent := setting[0].Value.Uint64()
		if percent == 300 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the setting is %d", percent)
		}
	}
}

// released is how much of the heap the system has back.
func released() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapReleased
}
