package userspace

import (
	"testing"
	"time"

	"weir/internal/datapath"
)

// TestWatchPeriodicTraffic checks that a watch doesn't keep in step with traffic:
// of two flows whose packets alternate, ten in the time between two sightings,
// both are seen.
func TestWatchPeriodicTraffic(t *testing.T) {
	x := &watch{Watch: &datapath.Watch{Every: 20 * time.Millisecond}}
	var seen [2]int
	for n := range int64(2000) {
		if x.isTime(n * int64(x.Every) / 10) {
			seen[n%2]++
		}
	}
	if seen[0] < 20 || seen[1] < 20 || seen[0]+seen[1] > 200 {
		t.Errorf("of two flows by turns, %d and %d packets were shown", seen[0], seen[1])
	}
}
