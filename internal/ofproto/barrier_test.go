package ofproto

import (
	"testing"

	"weir/internal/openflow"
)

// A packet that comes when a barrier has been answered meets the tables as they
// were changed before it, also where the data path had a flow for it.
func TestBarrierReachesTheDataPath(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 3, true)
	p := r.connect("br0", openflow.V13)
	group := func(to openflow.PortNo) *openflow.GroupMod {
		return &openflow.GroupMod{Command: openflow.GroupAddOrMod, Type: openflow.GroupTypeIndirect, ID: 1, CommandBucketID: openflow.BucketAll,
			Buckets: []openflow.Bucket{{WatchPort: openflow.PortNone, WatchGroup: openflow.GroupAny, Actions: []openflow.Action{&openflow.Output{Port: to}}}}}
	}
	p.send(group(3))
	for _, c := range []struct {
		name   string
		change func(to openflow.PortNo) openflow.Message
	}{
		{"a flow", func(to openflow.PortNo) openflow.Message { return addFlow("in_port=1", &openflow.Output{Port: to}) }},
		{"a group", func(to openflow.PortNo) openflow.Message { return group(to) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range 300 {
				to, name := openflow.PortNo(2), "p2"
				if i%2 == 1 {
					to, name = 3, "p3"
				}
				p.send(c.change(to))
				ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
				before := r.sent(name)
				r.receive("p1", hostA)
				if r.sent(name) != before+1 {
					t.Fatalf("change %d: the packet did not go to %s", i, name)
				}
			}
		})
		p.send(addFlow("in_port=1", &openflow.Group{ID: 1}))
	}
}
