package upcall

import (
	"fmt"
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/openflow"
)

const (
	tcp80 = "in_port=1,dl_src=50:00:00:00:00:01,dl_dst=50:00:00:00:00:02,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80"
	tcp81 = "in_port=1,dl_src=50:00:00:00:00:01,dl_dst=50:00:00:00:00:02,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=81"
)

func (r *rig) wantSend(t *testing.T, packet, want string) {
	t.Helper()
	if got := r.send(t, packet); got != want {
		t.Errorf("%s: %s, want %s", packet, got, want)
	}
}

func (r *rig) wantFlows(t *testing.T, n int) {
	t.Helper()
	if r.Len() != n || len(r.dp.flows) != n {
		t.Errorf("%d records and %d flows, want %d", r.Len(), len(r.dp.flows), n)
	}
}

func TestMissInstallsFlow(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "ip,actions=output:2")
	r.wantSend(t, tcp80, "2")
	r.wantSend(t, tcp81, "2")
	r.wantFlows(t, 1)
}

func TestStatisticsReachRules(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "tcp,actions=output:2")
	rule := r.rule(t, "tcp", 32768)
	for range 5 {
		r.send(t, tcp80)
	}
	if n := rule.Stats.Packets.Load(); n != 1 {
		t.Errorf("%d packets before the pass, want that of the miss", n)
	}
	r.clk.Warp(time.Second, 0)
	r.Revalidate()
	if n, b := rule.Stats.Packets.Load(), rule.Stats.Bytes.Load(); n != 5 || b != 500 {
		t.Errorf("%d packets of %d bytes, want 5 of 500", n, b)
	}
	if age := r.clk.Since(rule.LastUsed()); age != time.Second {
		t.Errorf("used %s ago", age)
	}
	r.Revalidate()
	if n := rule.Stats.Packets.Load(); n != 5 {
		t.Errorf("%d packets after another pass", n)
	}
	r.send(t, tcp80)
	r.Purge()
	if n := rule.Stats.Packets.Load(); n != 6 {
		t.Errorf("%d packets after the flow went", n)
	}
}

func TestChangedActionsAreMended(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "tcp,actions=output:2")
	r.send(t, tcp80)
	r.flowMod(t, openflow.FlowModify, "tcp,actions=output:3")
	r.Revalidate()
	r.wantSend(t, tcp80, "3")
	r.wantFlows(t, 1)
}

func TestFlowThatIsTooWideGoes(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "tcp,actions=output:2")
	r.send(t, tcp80)
	r.add(t, "priority=40000,tcp,tp_dst=81,actions=output:3")
	r.Revalidate()
	r.wantFlows(t, 0)
	r.wantSend(t, tcp80, "2")
	r.wantSend(t, tcp81, "3")
}

func TestDeletedRule(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "tcp,actions=output:2")
	r.add(t, "priority=1,actions=output:4")
	r.send(t, tcp80)
	r.flowMod(t, openflow.FlowDelete, "tcp")
	r.Revalidate()
	r.wantSend(t, tcp80, "4")
}

func TestIdleFlowsGo(t *testing.T) {
	r := newRig(t, Config{MaxIdle: 5 * time.Second})
	r.add(t, "actions=output:2")
	r.send(t, tcp80)
	r.clk.Warp(4*time.Second, 0)
	r.Revalidate()
	r.wantFlows(t, 1)
	r.send(t, tcp80)
	r.clk.Warp(4*time.Second, 0)
	r.Revalidate()
	r.wantFlows(t, 1)
	r.clk.Warp(time.Second, 0)
	r.Revalidate()
	r.wantFlows(t, 0)
}

// TestSlowFlowsGo checks that flows with few packets are not translated again
// once passes take long, and that others are.
func TestSlowFlowsGo(t *testing.T) {
	for _, tc := range []struct {
		duration time.Duration // of the last pass
		packets  int           // in the second since then
		want     int           // flows that are left
	}{{249 * time.Millisecond, 1, 1}, {251 * time.Millisecond, 9, 0}, {251 * time.Millisecond, 10, 1}} {
		r := newRig(t, Config{MinPPS: 10})
		r.add(t, "actions=output:2")
		r.send(t, tcp80)
		r.Revalidate()
		r.clk.Warp(time.Second, 0)
		for range tc.packets {
			r.send(t, tcp80)
		}
		r.duration.Store(int64(tc.duration))
		r.gen.Add(1)
		r.Revalidate()
		r.wantFlows(t, tc.want)
	}
	r := newRig(t, Config{MinPPS: 10})
	r.add(t, "actions=output:2")
	r.Revalidate()
	r.clk.Warp(time.Millisecond, 0)
	r.send(t, tcp80)
	r.clk.Warp(time.Second, 0)
	r.duration.Store(int64(time.Second))
	r.gen.Add(1)
	r.Revalidate()
	r.wantFlows(t, 1) // a new one has had no time yet
}

func TestFlowLimit(t *testing.T) {
	r := newRig(t, Config{FlowLimit: 2})
	r.add(t, "in_port=1,actions=output:2")
	r.add(t, "in_port=2,actions=output:1")
	r.add(t, "in_port=3,actions=output:1")
	for port := 1; port <= 3; port++ {
		r.send(t, fmt.Sprintf("in_port=%d,dl_type=0x1234", port))
	}
	r.wantFlows(t, 2)
	r.wantSend(t, "in_port=3,dl_type=0x1234", "1") // still forwarded
}

func TestForeignFlows(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "in_port=1,actions=output:2")
	r.send(t, tcp80)
	var good datapath.Flow
	for _, f := range r.dp.flows {
		good = *f
	}
	good.Owner = nil
	r.Purge()
	bad := good
	good.UFID, bad.UFID = datapath.UFID{1}, datapath.UFID{2}
	bad.Key.InPort = 9 // of no bridge
	for _, f := range []*datapath.Flow{&good, &bad} {
		if err := r.dp.FlowPut(f, datapath.PutCreate); err != nil {
			t.Fatal(err)
		}
	}
	r.Revalidate()
	r.wantFlows(t, 1)
	if r.dp.flows[good.UFID] == nil {
		t.Error("the flow that is right went")
	}
}

// What a flow that somebody else removed has counted isn't lost.
func TestFlowThatOthersRemove(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "actions=output:2")
	r.send(t, tcp80)
	r.send(t, tcp80)
	for u := range r.dp.flows {
		if _, err := r.dp.FlowDel(u, nil); err != nil {
			t.Fatal(err)
		}
	}
	r.wantFlows(t, 0)
	rule := r.bridge.Pipeline.Table(0).Rules(r.bridge.Pipeline.Version())[0]
	if n := rule.Stats.Packets.Load(); n != 2 {
		t.Errorf("%d packets, want 2", n)
	}
	r.wantSend(t, tcp80, "2")
	r.wantFlows(t, 1)
}

func TestFailedInstallation(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "actions=output:2")
	k := parseKey(t, tcp80)
	r.sendKey(k)
	r.wantFlows(t, 1)
	for u, f := range r.dp.flows {
		v := datapath.Verdict{UFID: u, Owner: f.Owner}
		delete(r.dp.flows, u)
		r.Installed(&datapath.Upcall{Key: k}, &v, fmt.Errorf("no room"))
	}
	r.wantFlows(t, 0)
}

func TestPauseAndResume(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "actions=output:2")
	r.send(t, tcp80)
	r.Pause()
	r.flowMod(t, openflow.FlowModify, "actions=output:3")
	r.Revalidate()
	r.wantSend(t, tcp80, "2")
	r.Resume()
	r.Revalidate()
	r.wantSend(t, tcp80, "3")
}

func TestWithoutMegaflows(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "actions=output:2")
	r.SetMegaflows(false)
	r.send(t, tcp80)
	r.send(t, tcp81)
	r.wantFlows(t, 2)
	r.SetMegaflows(true)
	r.wantFlows(t, 0)
}

// A recirculation number is given back when the last flow with it is gone.
func TestRecirculationReferences(t *testing.T) {
	r := newRig(t, Config{})
	r.add(t, "in_port=1,actions=debug_recirc,output:2")
	numbers := func() (ids []uint32) {
		for _, f := range r.dp.flows {
			ids = append(ids, f.Owner.(*megaflow).out.recircs...)
		}
		return ids
	}
	r.send(t, tcp80)
	ids := numbers()
	if len(ids) != 1 || r.cfg.Recircs.Refs(ids[0]) == 0 {
		t.Fatalf("numbers %v", ids)
	}
	for range 3 { // translated again, nothing is taken twice
		r.Wake()
		r.Revalidate()
	}
	if n := r.cfg.Recircs.Refs(ids[0]); n != 1 {
		t.Errorf("%d references with one flow", n)
	}
	r.flowMod(t, openflow.FlowModify, "in_port=1,actions=output:2")
	r.Revalidate()
	if n := r.cfg.Recircs.Refs(ids[0]); n != 0 {
		t.Errorf("%d references after the flow changed", n)
	}
	r.flowMod(t, openflow.FlowModify, "in_port=1,actions=debug_recirc,output:3")
	r.Revalidate()
	ids = numbers()
	r.Purge()
	if len(ids) != 1 || r.cfg.Recircs.Refs(ids[0]) != 0 {
		t.Errorf("%v has %d references after all flows went", ids, r.cfg.Recircs.Refs(ids[0]))
	}
}
