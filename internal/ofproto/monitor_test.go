package ofproto

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/openflow"
)

// Monitors are told of a modification that changed something: actions or cookie.
func TestMonitorOfNoChange(t *testing.T) {
	for _, abbreviated := range []bool{false, true} {
		r := newRig(t)
		r.bridge("br0", 0, true)
		p := r.connect("br0", openflow.V10)
		flags := openflow.MonitorAdd | openflow.MonitorRemoved | openflow.MonitorModify | openflow.MonitorInstructions
		if !abbreviated {
			flags |= openflow.MonitorOnlyOwn
		}
		ask[*openflow.FlowMonitorReply](p, &openflow.FlowMonitorRequest{Monitors: []openflow.FlowMonitor{{
			ID: 1, Flags: flags, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny,
		}}})
		var got []openflow.FlowUpdateEvent
		mod := func(cookie uint64, command openflow.FlowModCommand, flags openflow.FlowFlags, port openflow.PortNo) {
			fm := addFlow("in_port=1", &openflow.Output{Port: port})
			fm.Command, fm.NewCookie, fm.ModifyCookie, fm.Flags = command, cookie, true, flags
			p.send(fm)
			p.send(&openflow.BarrierRequest{})
			for {
				switch m := p.recv().(type) {
				case *openflow.FlowMonitorReply:
					for _, u := range m.Updates {
						got = append(got, u.Event)
					}
				case *openflow.BarrierReply:
					return
				}
			}
		}
		mod(1, openflow.FlowAdd, 0, 2)
		mod(1, openflow.FlowModify, 0, 2)
		mod(1, openflow.FlowModifyStrict, openflow.FlowResetCounts, 2)
		mod(2, openflow.FlowModify, 0, 2)
		mod(2, openflow.FlowModify, 0, 3)
		mod(2, openflow.FlowAdd, 0, 3)
		want := []openflow.FlowUpdateEvent{openflow.UpdateAdded, openflow.UpdateModified, openflow.UpdateModified, openflow.UpdateAdded}
		if abbreviated {
			want = []openflow.FlowUpdateEvent{openflow.UpdateAbbrev, openflow.UpdateAbbrev, openflow.UpdateAbbrev, openflow.UpdateAbbrev}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("abbreviated %t: (-want +got)\n%s", abbreviated, diff)
		}
	}
}
