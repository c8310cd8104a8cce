package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestCloseTellsMonitors: monitors are told of all that was answered before the
// server ended.
func TestCloseTellsMonitors(t *testing.T) {
	lost := 0
	for range 10 {
		h := newHarness(t)
		var watchers []*client
		for i := range 50 {
			c := h.client()
			c.call("monitor", fmt.Sprintf(`["db",%d,{"root":[{"columns":["name"]}]}]`, i))
			watchers = append(watchers, c)
		}
		h.client().transact(insertOp("last"))
		h.Close()
		for _, c := range watchers {
			var r reply
			if err := c.dec.Decode(&r); err != nil || !strings.Contains(string(r.Params), `"last"`) {
				lost++
			}
			_ = c.Close()
		}
	}
	if lost > 0 {
		t.Errorf("%d of 500 monitors were not told", lost)
	}
}
