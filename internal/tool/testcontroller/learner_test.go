package testcontroller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// packetIn makes the packet-in of a packet in flow syntax.
func packetIn(t *testing.T, text string) *openflow.PacketIn {
	t.Helper()
	k, err := flow.ParseKey(text, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pin := &openflow.PacketIn{BufferID: openflow.NoBuffer, Reason: openflow.ReasonNoMatch, Data: flow.Compose(k, nil)}
	pin.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(uint64(k.InPort)))
	return pin
}

// say prints the decisions about a packet.
func say(ms []openflow.Message) []string {
	var out []string
	for _, m := range ms {
		switch m := m.(type) {
		case *openflow.FlowMod:
			out = append(out, "flow "+m.Match.String()+" actions="+openflow.FormatActions(m.Actions, nil))
		case *openflow.PacketOut:
			out = append(out, "packet "+openflow.FormatActions(m.Actions, nil))
		}
	}
	return out
}

const (
	forth = "in_port=1,tcp,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,nw_src=1.1.1.1,nw_dst=1.1.1.2,nw_tos=0,tp_src=1,tp_dst=2"
	back  = "in_port=2,tcp,dl_src=50:54:00:00:00:02,dl_dst=50:54:00:00:00:01,nw_src=1.1.1.2,nw_dst=1.1.1.1,nw_tos=0,tp_src=2,tp_dst=1"
)

func TestLearner(t *testing.T) {
	const exactBack = "tcp,in_port=2,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:02,dl_dst=50:54:00:00:00:01,nw_src=1.1.1.2,nw_dst=1.1.1.1,nw_tos=0,tp_src=2,tp_dst=1"
	const exactForth = "tcp,in_port=1,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,nw_src=1.1.1.1,nw_dst=1.1.1.2,nw_tos=0,tp_src=1,tp_dst=2"
	for _, tt := range []struct {
		name   string
		policy policy
		want   [][]string
	}{
		{"learning", policy{queue: noQueue}, [][]string{
			{"packet FLOOD"},
			{"flow " + exactBack + " actions=output:1", "packet output:1"},
			{"flow " + exactForth + " actions=output:2", "packet output:2"},
		}},
		{"hub", policy{queue: noQueue, hub: true}, [][]string{
			{"flow " + exactForth + " actions=FLOOD", "packet FLOOD"},
			{"flow " + exactBack + " actions=FLOOD", "packet FLOOD"},
			{"flow " + exactForth + " actions=FLOOD", "packet FLOOD"},
		}},
		{"no flows", policy{queue: noQueue, noFlow: true}, [][]string{{"packet FLOOD"}, {"packet output:1"}, {"packet output:2"}}},
		{"normal", policy{queue: noQueue, normal: true, noFlow: true}, [][]string{{"packet FLOOD"}, {"packet NORMAL"}, {"packet NORMAL"}}},
		{"L2 and a queue", policy{queue: 5, wildcards: defaultWildcards}, [][]string{
			{"packet FLOOD"},
			{"flow in_port=2,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:02,dl_dst=50:54:00:00:00:01 actions=enqueue:1:5", "packet enqueue:1:5"},
			{"flow in_port=1,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02 actions=enqueue:2:5", "packet enqueue:2:5"},
		}},
		{"L3", policy{queue: noQueue, wildcards: 0x2000ec}, [][]string{
			{"packet FLOOD"},
			{"flow ip,in_port=2,vlan_tci=0x0000/0x1fff,nw_src=1.1.1.2,nw_dst=1.1.1.1 actions=output:1", "packet output:1"},
			{"flow ip,in_port=1,vlan_tci=0x0000/0x1fff,nw_src=1.1.1.1,nw_dst=1.1.1.2 actions=output:2", "packet output:2"},
		}},
	} {
		l := newLearner(&tt.policy)
		var got [][]string
		for _, p := range []string{forth, back, forth} {
			got = append(got, say(l.packetIn(packetIn(t, p), time.Unix(1, 0))))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// Packets to reserved addresses are dropped, as are those that would go back.
func TestLearnerDrops(t *testing.T) {
	l := newLearner(&policy{queue: noQueue, portQueues: map[string]uint32{"p1": 7}})
	l.portName(&openflow.PortDesc{PortNo: 1, Name: "p1"})
	got := [][]string{
		say(l.packetIn(packetIn(t, "in_port=1,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:00,dl_type=0x1234"), time.Unix(1, 0))),
		say(l.packetIn(packetIn(t, "in_port=1,dl_src=50:54:00:00:00:03,dl_dst=50:54:00:00:00:01,dl_type=0x1234"), time.Unix(1, 0))),
		say(l.packetIn(packetIn(t, back), time.Unix(1, 0)))[1:],
		say(l.packetIn(packetIn(t, forth), time.Unix(1, 0)))[1:],
	}
	want := [][]string{
		{"flow in_port=1,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:01,dl_dst=01:80:c2:00:00:00,dl_type=0x1234 actions=drop"},
		{"flow in_port=1,vlan_tci=0x0000/0x1fff,dl_src=50:54:00:00:00:03,dl_dst=50:54:00:00:00:01,dl_type=0x1234 actions=drop"},
		{"packet output:1"},
		{"packet enqueue:2:7"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
