package ofproto

import (
	"testing"
	"time"

	"weir/internal/openflow"
)

// The reports and their times are those of Open vSwitch 3.1 for the same flow
// mods at the same times.
func TestModCount(t *testing.T) {
	type op struct {
		at  int // seconds
		cmd openflow.FlowModCommand
		n   int
	}
	const add, mod, del = openflow.FlowAdd, openflow.FlowModify, openflow.FlowDelete
	for _, tt := range []struct {
		name string
		ops  []op
		end  int // when the connection ends
		want map[int]string
	}{
		{"one and gone", []op{{0, add, 1}}, 0, map[int]string{0: "1 flow_mods in the last 0 s (1 adds)"}},
		{"gone later", []op{{0, add, 1}}, 2, map[int]string{2: "1 flow_mods 2 s ago (1 adds)"}},
		{"spread and gone", []op{{0, add, 1}, {5, add, 1}}, 5, map[int]string{5: "2 flow_mods in the last 5 s (2 adds)"}},
		{"each kind", []op{{0, add, 3}, {0, mod, 2}, {0, del, 1}, {75, add, 1}, {80, mod, 1}, {80, openflow.FlowDeleteStrict, 1}}, 100, map[int]string{
			10: "6 flow_mods 10 s ago (3 adds, 1 deletes, 2 modifications)",
			85: "3 flow_mods in the 5 s starting 10 s ago (1 adds, 1 deletes, 1 modifications)",
		}},
		{"a minute apart", []op{{0, add, 1}, {9, add, 2}, {13, add, 1}, {25, add, 1}, {85, openflow.FlowModifyStrict, 1}}, 85, map[int]string{
			10: "3 flow_mods in the 9 s starting 10 s ago (3 adds)",
			70: "2 flow_mods in the 12 s starting 57 s ago (2 adds)",
			85: "1 flow_mods in the last 0 s (1 modifications)",
		}},
		{"nothing", nil, 100, map[int]string{}},
	} {
		var c modCount
		start := time.Unix(1000, 0)
		for at := 0; at <= tt.end; at++ {
			now := start.Add(time.Duration(at) * time.Second)
			for _, o := range tt.ops {
				if o.at == at {
					c.add(o.cmd, o.n, now)
				}
			}
			got := c.due(now)
			if got == "" && at == tt.end {
				got = c.end(now)
			}
			if got != tt.want[at] {
				t.Errorf("%s: after %d s %q, want %q", tt.name, at, got, tt.want[at])
			}
		}
	}
}
