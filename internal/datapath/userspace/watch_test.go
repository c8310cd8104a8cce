package userspace

import (
	"testing"
	"time"

	"weir/internal/datapath"
)

// TestWatchPeriodicTraffic checks that a watch doesn't keep in step with traffic: of
// two flows whose packets alternate both are seen, however far the packets are apart.
func TestWatchPeriodicTraffic(t *testing.T) {
	const every = 20 * time.Millisecond
	for _, apart := range []time.Duration{every / 10, every / 2, every, every + every/20, 2 * every, 3 * every} {
		x := &watch{Watch: &datapath.Watch{Every: every}}
		var seen [2]int
		packets := int64(400 * max(1, every/apart))
		for n := range packets {
			if x.isTime(n * int64(apart)) {
				seen[n%2]++
			}
		}
		if most := int(time.Duration(packets)*apart/every) + 1; seen[0] < 20 || seen[1] < 20 || seen[0]+seen[1] > most {
			t.Errorf("of two flows by turns, whose packets are %v apart, %d and %d packets were shown", apart, seen[0], seen[1])
		}
	}
}
