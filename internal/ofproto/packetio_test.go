package ofproto

import (
	"testing"

	"weir/internal/flow"
	"weir/internal/openflow"
)

// sync waits until the switch has done what was asked for, and returns what it
// said meanwhile.
func (p *peer) sync() (said []openflow.Message) {
	p.t.Helper()
	p.send(&openflow.BarrierRequest{})
	for {
		m := p.recv()
		if _, done := m.(*openflow.BarrierReply); done {
			return said
		}
		said = append(said, m)
	}
}

// A packet that isn't buffered comes whole, whatever length was asked for; one that
// was sent to the tables and matches nothing comes, too, to those whose version
// wants such packets.
func TestPacketInsAreWhole(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	old, later := r.connect("br0", openflow.V10), r.connect("br0", openflow.V13)
	for _, p := range []*peer{old, later} {
		p.send(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: 20}})
		p.sync()
	}
	out := &openflow.PacketOut{BufferID: openflow.NoBuffer, Data: make([]byte, 64), Actions: []openflow.Action{&openflow.Output{Port: openflow.PortTable}}}
	out.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(1))
	later.send(out)
	later.send(addFlow("", &openflow.Output{Port: openflow.PortController, MaxLen: 16}))
	later.send(out)
	for _, test := range []struct {
		p    *peer
		want int
	}{{later, 1}, {old, 2}} {
		said := test.p.sync()
		if len(said) != test.want {
			t.Errorf("OpenFlow %s: %d packets, want %d", test.p.p.Version().Dotted(), len(said), test.want)
		}
		for _, m := range said {
			if in, ok := m.(*openflow.PacketIn); !ok || len(in.Data) != 64 {
				t.Errorf("OpenFlow %s: %+v", test.p.p.Version().Dotted(), m)
			}
		}
	}
}

// A packet-out that the groups don't get done with is refused, in a bundle as well.
func TestPacketOutThatGoesRound(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V14)
	p.send(&openflow.GroupMod{ID: 1, CommandBucketID: openflow.BucketAll, Buckets: []openflow.Bucket{{
		WatchPort: openflow.PortNone, WatchGroup: openflow.GroupAny, Actions: []openflow.Action{&openflow.Group{ID: 1}}}}})
	out := &openflow.PacketOut{BufferID: openflow.NoBuffer, Data: make([]byte, 64), Actions: []openflow.Action{&openflow.Group{ID: 1}}}
	out.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(1))
	if e := ask[*openflow.Error](p, out); e.Code != openflow.ErrFMFCUnknown {
		t.Error(e.Code)
	}
	raw, _ := openflow.Encode(p.p, 99, out)
	p.send(&openflow.BundleAdd{ID: 1, Flags: openflow.BundleAtomic, Raw: raw})
	p.send(&openflow.BundleControl{ID: 1, Flags: openflow.BundleAtomic, Type: openflow.BundleCommitRequest})
	said := p.sync()
	if len(said) != 2 {
		t.Fatalf("%d answers", len(said))
	}
	for i, want := range []openflow.ErrCode{openflow.ErrFMFCUnknown, openflow.ErrBFCMsgFailed} {
		if e, ok := said[i].(*openflow.Error); !ok || e.Code != want {
			t.Errorf("%+v, want %s", said[i], want)
		}
	}
}

// Other controllers are told of group mods, those of bundles too, by commands that
// OpenFlow has.
func TestForwardedGroupMods(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	p, other := r.connect("br0", openflow.V14), r.connect("br0", openflow.V14)
	async := &openflow.SetAsync{Set: 1 << openflow.AsyncRequestForward}
	async.Config.Primary[openflow.AsyncRequestForward] = 3
	other.send(async)
	other.sync()
	gm := &openflow.GroupMod{ID: 1, Command: openflow.GroupAddOrMod, CommandBucketID: openflow.BucketAll}
	p.send(gm)
	raw, _ := openflow.Encode(p.p, 99, gm)
	p.send(&openflow.BundleAdd{ID: 1, Flags: openflow.BundleAtomic, Raw: raw})
	p.send(&openflow.BundleControl{ID: 1, Flags: openflow.BundleAtomic, Type: openflow.BundleCommitRequest})
	p.sync()
	said := other.sync()
	if len(said) != 2 {
		t.Fatalf("told of %d", len(said))
	}
	for i, want := range []openflow.GroupModCommand{openflow.GroupAdd, openflow.GroupModify} {
		_, inner, err := openflow.Decode(said[i].(*openflow.RequestForward).Raw, openflow.DecodeOptions{})
		if got, ok := inner.(*openflow.GroupMod); !ok || got.Command != want {
			t.Errorf("%+v (%v), want command %d", inner, err, want)
		}
	}
}

// The end of a monitor has no answer.
func TestCancelledMonitor(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 0, true)
	p := r.connect("br0", openflow.V10)
	ask[*openflow.FlowMonitorReply](p, &openflow.FlowMonitorRequest{Monitors: []openflow.FlowMonitor{{
		ID: 1, Flags: openflow.MonitorAdd, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny}}})
	p.send(&openflow.FlowMonitorCancel{ID: 1})
	if said := p.sync(); len(said) != 0 {
		t.Errorf("%+v", said[0])
	}
}
