package upcall

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/xlate"
)

// What random tables are made of: few, so that flows, changes and packets meet.
var (
	lawMatches = []string{
		"", "in_port=1", "in_port=2", "tcp", "tcp,tp_dst=80", "ip,nw_src=10.0.0.0/8", "ip,nw_dst=10.0.0.2", "udp", "dl_dst=50:00:00:00:00:02", "reg0=1",
	}
	lawActions = []string{
		"drop", "output:2", "output:3", "NORMAL", "resubmit(,1)", "load:1->NXM_NX_REG0[],resubmit(,1)", "mod_nw_dst:10.0.0.9,resubmit(,1)", "output:4,resubmit(,2)",
		"group:1", "debug_recirc,output:2", "learn(table=2,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output:3", "controller",
	}
)

func drawPacket(t *rapid.T) string {
	number := func(label string, from ...int) int { return rapid.SampledFrom(from).Draw(t, label) }
	return fmt.Sprintf("in_port=%d,dl_src=50:00:00:00:00:0%d,dl_dst=50:00:00:00:00:0%d,%s,nw_src=%d.0.0.1,nw_dst=10.0.0.%d,nw_ttl=64,tp_src=1,tp_dst=%d",
		number("in", 1, 2, 3), number("src", 1, 2), number("dst", 1, 2, 3), rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "proto"),
		number("net", 10, 11), number("host", 2, 3), number("port", 80, 81))
}

// change does something to the bridge that may make flows wrong.
func (r *rig) change(t *rapid.T) {
	text := rapid.SampledFrom(lawMatches).Draw(t, "match")
	priority := rapid.IntRange(1, 3).Draw(t, "priority")
	table := rapid.IntRange(0, 2).Draw(t, "table")
	where := fmt.Sprintf("table=%d,%s", table, text)
	var err error
	var fm *openflow.FlowMod
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		fm, _, err = openflow.ParseFlowMod(where, int(openflow.FlowDelete), openflow.ParseOptions{})
	case 1:
		gm, _, gerr := openflow.ParseGroupMod("group_id=1,type=all,bucket=output:"+rapid.SampledFrom([]string{"2", "3", "4"}).Draw(t, "bucket"), int(openflow.GroupAddOrMod), openflow.ParseOptions{})
		if gerr != nil {
			t.Fatal(gerr)
		}
		if _, err := r.bridge.Pipeline.GroupMod(gm, r.clk.Now()); err != nil {
			t.Fatal(err)
		}
		return
	case 2:
		r.bridge.MACs.Flush()
		return
	default:
		fm, _, err = openflow.ParseFlowMod(fmt.Sprintf("%s,priority=%d,actions=%s", where, priority, rapid.SampledFrom(lawActions).Draw(t, "actions")), int(openflow.FlowAdd), openflow.ParseOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	// A flow with a group that is not there is refused; that is no change.
	_, _ = r.bridge.Pipeline.FlowMod(fm, r.clk.Now())
}

// translate is what a packet should meet now.
func (r *rig) translate(k *flow.Key) string {
	tr := xlate.NewTranslator()
	defer tr.Release()
	var in xlate.Input
	var of flow.Key
	if !r.input(r.cfg, k, &in, &of) {
		return "of no bridge"
	}
	return datapath.FormatActions(installed(&in, tr.Translate(&in)), nil)
}

// After a pass, every flow of the data path does with every packet that it
// matches what the tables say, whatever was changed before.
func TestFlowsAreRightAfterPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(&testing.T{}, Config{})
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				r.change(t)
			case 1:
				r.clk.Warp(time.Second, 0)
				r.Revalidate()
			case 2:
				r.mend()
			default:
				k, err := flow.ParseKey(drawPacket(t), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.sendKey(k)
			}
		}
		// Statistics that a pass pushes may make it learn, and that flows wrong.
		r.Revalidate()
		r.Revalidate()
		for range 6 {
			k, err := flow.ParseKey(drawPacket(t), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := r.dp.match(k)
			if f == nil {
				continue
			}
			if got, want := datapath.FormatActions(f.Actions, nil), r.translate(k); got != want {
				t.Fatalf("%s: the flow says %s, the tables %s", k, got, want)
			}
		}
	})
}

// No packet is counted twice or lost on its way to the rule that it matched.
func TestPacketsAreCountedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(&testing.T{}, Config{FlowLimit: rapid.SampledFrom([]int{0, 2}).Draw(t, "limit")})
		r.add(&testing.T{}, "priority=0,actions=resubmit(,1)")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				r.add(&testing.T{}, fmt.Sprintf("table=1,priority=%d,%s,actions=output:2", rapid.IntRange(1, 3).Draw(t, "priority"), rapid.SampledFrom(lawMatches).Draw(t, "match")))
			case 1:
				r.clk.Warp(rapid.SampledFrom([]time.Duration{time.Second, 11 * time.Second}).Draw(t, "time"), 0)
				r.Revalidate()
			default:
				k, err := flow.ParseKey(drawPacket(t), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.sendKey(k)
			}
		}
		r.Purge()
		rule := r.bridge.Pipeline.Table(0).Rules(r.bridge.Pipeline.Version())[0]
		if n := rule.Stats.Packets.Load(); n != r.packets {
			t.Fatalf("the rule that all packets match has %d of %d", n, r.packets)
		}
	})
}
