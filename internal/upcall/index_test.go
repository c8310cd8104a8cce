package upcall

import (
	"fmt"
	"testing"

	"weir/internal/openflow"
)

// Only flows that a change can make wrong are looked at.
func TestIndexFindsFewFlows(t *testing.T) {
	r := newRig(t, Config{})
	for i := range 20 {
		r.add(t, fmt.Sprintf("tcp,nw_src=10.0.0.%d,actions=output:2", i))
	}
	r.add(t, "udp,actions=NORMAL")
	send := func() {
		for i := range 20 {
			r.send(t, fmt.Sprintf("in_port=1,tcp,nw_src=10.0.0.%d,nw_dst=10.0.1.1,tp_src=1,tp_dst=80", i))
		}
		r.send(t, "in_port=1,dl_src=50:00:00:00:00:01,udp,nw_src=10.0.0.1,nw_dst=10.0.1.1,tp_src=1,tp_dst=80")
		r.Revalidate()
		r.Revalidate()
		r.index.take()
	}
	for _, c := range []struct {
		name   string
		change func()
		want   int
	}{
		{"a rule is modified", func() { r.flowMod(t, openflow.FlowModifyStrict, "tcp,nw_src=10.0.0.3,actions=output:3") }, 1},
		{"a rule is replaced", func() { r.add(t, "tcp,nw_src=10.0.0.4,actions=output:3") }, 1},
		{"a rule is deleted", func() { r.flowMod(t, openflow.FlowDelete, "tcp,nw_src=10.0.0.5") }, 1},
		{"a rule is added that no flow meets", func() { r.add(t, "tcp,nw_src=10.9.0.0/16,actions=output:2") }, 0},
		{"a rule is added above one flow", func() { r.add(t, "priority=40000,tcp,nw_src=10.0.0.6,tp_dst=80,actions=output:4") }, 1},
		{"a rule is added in another table", func() { r.add(t, "table=3,actions=output:4") }, 0},
		{"a MAC table changes", func() { r.bridge.MACs.Flush(); r.noteMACs() }, 1},
	} {
		send()
		c.change()
		if got := r.index.take(); len(got) != c.want {
			t.Errorf("%s: %d flows are looked at, want %d", c.name, len(got), c.want)
		}
		r.Purge()
	}
}

// What has gone leaves nothing behind.
func TestIndexForgets(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "tcp,actions=resubmit(,1)")
	r.add(t, "table=1,actions=NORMAL")
	for turn := range 3 {
		for i := range 50 {
			r.send(t, fmt.Sprintf("in_port=1,dl_dst=50:00:00:00:00:%02x,tcp,nw_src=10.0.0.%d,nw_dst=10.0.1.1,tp_src=1,tp_dst=80", i, i))
		}
		r.flowMod(t, openflow.FlowModify, fmt.Sprintf("table=1,actions=output:%d", 2+turn%2))
		r.mend()
	}
	r.Purge()
	if len(r.index.on) != 0 || len(r.index.all) != 0 {
		t.Errorf("%d dependencies and %d outcomes", len(r.index.on), len(r.index.all))
	}
}
