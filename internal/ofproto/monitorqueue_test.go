package ofproto

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/openflow"
)

// A controller that doesn't keep up is told that updates pause, and then what
// it missed: what it knows in the end is what is in the tables.
func TestMonitorPausesAndResumes(t *testing.T) {
	for _, v := range []openflow.Version{openflow.V10, openflow.V14} {
		t.Run(v.String(), func(t *testing.T) {
			r := newRig(t)
			b := r.bridge("br0", 0, true)
			p := r.connect("br0", v)
			monitor := &openflow.FlowMonitorRequest{Monitors: []openflow.FlowMonitor{{
				ID: 1, Flags: openflow.MonitorAdd | openflow.MonitorRemoved | openflow.MonitorModify | openflow.MonitorInstructions,
				OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny,
			}}}
			ask[*openflow.FlowMonitorReply](p, monitor)
			mod := func(fm *openflow.FlowMod) {
				t.Helper()
				events, err := b.pipe.FlowMod(fm, r.clk.Now())
				if err != nil {
					t.Fatal(err)
				}
				b.flowEvents(events, nil)
				r.clk.Warp(1, 0)
			}
			want := map[string]string{}
			const flows = 12000
			for i := range flows {
				m := fmt.Sprintf("reg0=%#x", i+1)
				mod(addFlow(m, &openflow.Output{Port: 1}))
				want[m] = "output:1"
			}
			for _, i := range []int{1, 2, flows - 1} { // known, and not yet told of
				m := fmt.Sprintf("reg0=%#x", i+1)
				fm := addFlow(m)
				fm.Command = openflow.FlowDeleteStrict
				mod(fm)
				delete(want, m)
			}
			for _, i := range []int{5, flows - 5} {
				m := fmt.Sprintf("reg0=%#x", i+1)
				mod(addFlow(m, &openflow.Output{Port: 2}))
				want[m] = "output:2"
			}
			got := map[string]string{}
			paused := p.follow(got)
			if !paused {
				t.Fatal("updates never paused")
			}
			if !maps.Equal(got, want) {
				t.Fatal(cmp.Diff(want, got))
			}
		})
	}
}

// follow applies the updates that come to a map from matches to actions until
// updates resume, and says whether they had paused.
func (p *peer) follow(flows map[string]string) (paused bool) {
	p.t.Helper()
	apply := func(u *openflow.FlowUpdate) {
		match := strings.TrimPrefix(u.Match.Format(100, nil), "priority=100,")
		if u.Event == openflow.UpdateDeleted {
			delete(flows, match)
			return
		}
		flows[match] = openflow.FormatActions(u.Actions, nil)
	}
	for {
		switch m := p.recv().(type) {
		case *openflow.FlowMonitorPaused:
			paused = true
		case *openflow.FlowMonitorResumed:
			return paused
		case *openflow.FlowMonitorReply:
			for i := range m.Updates {
				switch u := &m.Updates[i]; u.Event {
				case openflow.UpdatePaused:
					paused = true
				case openflow.UpdateResumed:
					return paused
				default:
					apply(u)
				}
			}
		}
	}
}
