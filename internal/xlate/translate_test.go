package xlate

import (
	"testing"
	"time"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/protocol/maclearn"
)

var t0 = time.Unix(1000, 0)

// newBridge makes a bridge with ports 1 to n, whose data path ports have the
// same numbers, each in a trunk bundle of its own.
func newBridge(c *Config, name string, firstDP, n int) *Bridge {
	b := &Bridge{Name: name, Pipeline: pipeline.New(nil), MACs: maclearn.New(0, 0),
		Ports: map[openflow.PortNo]*Port{}, Miss: openflow.MissDrop}
	c.Bridges[name] = b
	for i := range n {
		b.addPort(c, openflow.PortNo(i+1), datapath.PortNo(firstDP+i))
	}
	return b
}

func (b *Bridge) addPort(c *Config, no openflow.PortNo, dp datapath.PortNo) *Port {
	p := &Port{Bridge: b, Name: "p" + string(rune('0'+no)), No: no, DP: dp}
	p.Bundle = &Bundle{Bridge: b, Name: p.Name, Ports: []*Port{p}, VLAN: -1, Owner: p.Name + b.Name}
	b.Ports[no] = p
	b.Order = append(b.Order, p)
	b.Bundles = append(b.Bundles, p.Bundle)
	c.ByDP[dp] = p
	return p
}

func newConfig() *Config {
	return &Config{Bridges: map[string]*Bridge{}, ByDP: map[datapath.PortNo]*Port{}, Recircs: NewRecircs(),
		Features: datapath.Features{Recirc: true, Clone: true, CheckPktLen: true}}
}

func addFlow(t testing.TB, b *Bridge, table uint8, match string, priority uint16, actions ...openflow.Action) {
	t.Helper()
	m, err := flow.ParseMatch(match, nil)
	if err != nil {
		t.Fatal(err)
	}
	fm := &openflow.FlowMod{Match: *m, Priority: priority, TableID: table, Actions: actions}
	if _, err := b.Pipeline.FlowMod(fm, t0); err != nil {
		t.Fatal(err)
	}
}

func out(n openflow.PortNo) openflow.Action { return &openflow.Output{Port: n} }

func parseKey(t testing.TB, s string) *flow.Key {
	t.Helper()
	k, err := flow.ParseKey(s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sub(name string, ofs, n int) openflow.Subfield {
	return openflow.Subfield{Field: flow.FieldByName(name), Ofs: uint16(ofs), N: uint16(n)}
}

func setField(name string, v uint64) openflow.Action {
	f := flow.FieldByName(name)
	return &openflow.SetField{Field: f, Value: flow.V(v), Mask: f.Exact()}
}

func TestActions(t *testing.T) {
	const udp = "in_port=1,udp,nw_src=1.1.1.1,nw_dst=2.2.2.2,nw_ttl=64,tp_src=5,tp_dst=6"
	for _, c := range []struct {
		name    string
		key     string
		actions []openflow.Action
		want    string
	}{
		{"output", udp, []openflow.Action{out(2), out(3)}, "2,3"},
		{"drop", udp, nil, "drop"},
		{"input port is skipped", udp, []openflow.Action{out(1), out(2)}, "2"},
		{"IN_PORT", udp, []openflow.Action{out(openflow.PortInPort)}, "1"},
		{"no such port", udp, []openflow.Action{out(77)}, "drop"},
		{"ALL", udp, []openflow.Action{out(openflow.PortAll)}, "2,3"},
		{"sets are merged", udp, []openflow.Action{&openflow.SetIPv4Dst{Addr: 0x01020304}, &openflow.DecTTL{}, &openflow.SetL4DstPort{Port: 80}, out(2)},
			"set(ipv4(dst=1.2.3.4,ttl=63)),set(udp(dst=80)),2"},
		{"a set is undone by a set", udp, []openflow.Action{&openflow.SetEthSrc{MAC: [6]byte{5: 5}}, out(2), &openflow.SetEthSrc{}, out(3)},
			"set(eth(src=00:00:00:00:00:05)),2,set(eth(src=00:00:00:00:00:00)),3"},
		{"push and pop", udp, []openflow.Action{&openflow.PushVLAN{EthType: 0x8100}, setField("vlan_vid", 0x1004), out(2), &openflow.StripVLAN{}, out(3)},
			"push_vlan(vid=4,pcp=0),2,pop_vlan,3"},
		{"a pushed tag is empty, whatever is below", "in_port=1,dl_vlan=7,dl_vlan_pcp=3,dl_type=0x1234", []openflow.Action{&openflow.PushVLAN{EthType: 0x8100}, out(2), setField("vlan_vid", 0x1004), out(3)},
			"push_vlan(vid=0,pcp=0),2,pop_vlan,push_vlan(vid=4,pcp=0),3"},
		{"retag", "in_port=1,dl_vlan=7,dl_type=0x1234", []openflow.Action{&openflow.SetVLANVID{VID: 5, PushIfNeeded: true}, &openflow.SetVLANPCP{PCP: 3, PushIfNeeded: true}, out(2)},
			"pop_vlan,push_vlan(vid=5,pcp=3),2"},
		{"strip", "in_port=1,dl_vlan=7,dl_type=0x1234", []openflow.Action{&openflow.StripVLAN{}, out(2)}, "pop_vlan,2"},
		{"masked set", "in_port=1,dl_type=0x1234", []openflow.Action{setField("reg1", 2), &openflow.Move{Src: sub("reg1", 0, 32), Dst: sub("eth_src", 0, 32)}, out(2)},
			"set(eth(src=00:00:00:00:00:02/00:00:ff:ff:ff:ff)),2"},
		{"stack", "in_port=1,dl_src=50:00:00:00:00:01", []openflow.Action{&openflow.Push{Src: sub("eth_src", 0, 48)}, &openflow.Pop{Dst: sub("eth_dst", 0, 48)}, out(2)},
			"set(eth(dst=50:00:00:00:00:01)),2"},
		{"register output", udp, []openflow.Action{setField("reg0", 3), &openflow.OutputReg{Src: sub("reg0", 0, 32)}}, "3"},
		{"truncated and queued", udp, []openflow.Action{&openflow.OutputTrunc{Port: 2, MaxLen: 100}, &openflow.Enqueue{Port: 2, Queue: 1}, out(3)},
			"trunc(100),2,set(skb_priority(0x1)),2,set(skb_priority(0)),3"},
		{"action set", udp, []openflow.Action{&openflow.WriteActions{Actions: []openflow.Action{out(2), &openflow.DecTTL{}, out(3)}}}, "set(ipv4(ttl=63)),3"},
		{"cleared action set", udp, []openflow.Action{&openflow.WriteActions{Actions: []openflow.Action{out(2)}}, &openflow.ClearActions{}}, "drop"},
		{"exit", udp, []openflow.Action{out(2), &openflow.Exit{}, out(3)}, "2"},
		{"clone leaves no trace", udp, []openflow.Action{&openflow.Clone{Actions: []openflow.Action{&openflow.SetIPv4Dst{Addr: 1}, out(2)}}, out(3)},
			"set(ipv4(dst=0.0.0.1)),2,set(ipv4(dst=2.2.2.2)),3"},
		{"expired TTL", "in_port=1,udp,nw_ttl=1", []openflow.Action{&openflow.DecTTL{}, out(2)},
			"userspace(pid=0,controller(reason=2,dont_send=0,continuation=0,recirc_id=1,rule_cookie=0,controller_id=0,max_len=65535))"},
		{"resubmit", udp, []openflow.Action{&openflow.Resubmit{InPort: 2, Table: 5}, out(3)}, "2,3"},
		{"too deep", udp, []openflow.Action{out(2), &openflow.Resubmit{InPort: openflow.PortInPort, Table: openflow.TableAny}}, "drop"},
		{"a label of a flow's text, which has no bottom of the stack", "in_port=1,mpls,mpls_label=5", []openflow.Action{&openflow.PopMPLS{EthType: 0x800}, out(2)}, "pop_mpls(eth_type=0x800),2"},
		{"as many labels as a key holds", "in_port=1,mpls,mpls_label=5", []openflow.Action{&openflow.PushMPLS{EthType: 0x8847}, &openflow.PushMPLS{EthType: 0x8847}, &openflow.PushMPLS{EthType: 0x8847}, out(2)}, "drop"},
		{"a list that branches, and the one that led there", udp, []openflow.Action{&openflow.Resubmit{InPort: 1, Table: 6}, out(3)}, "check_pkt_len(size=200,gt(2),le(2)),3"},
		{"mpls", "in_port=1,dl_type=0x8847,mpls_label=7,mpls_tc=1,mpls_ttl=9,mpls_bos=1", []openflow.Action{&openflow.SetMPLSLabel{Label: 8}, out(2)},
			"set(mpls(label=8,tc=1,ttl=9,bos=1)),2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := newConfig()
			b := newBridge(cfg, "br0", 1, 3)
			addFlow(t, b, 0, "", 1, c.actions...)
			addFlow(t, b, 5, "in_port=2", 1, out(2))
			addFlow(t, b, 6, "", 1, &openflow.CheckPktLarger{Len: 200, Dst: sub("reg0", 0, 1)}, out(2))
			r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, c.key), Now: t0})
			if got := datapath.FormatActions(r.Actions, nil); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNormalLearnsAndForwards(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 3)
	addFlow(t, b, 0, "", 0, out(openflow.PortNormal))
	x := NewTranslator()
	send := func(key string, learn bool) string {
		r := x.Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, key), Now: t0, Learn: learn})
		return datapath.FormatActions(r.Actions, nil)
	}
	const there, back = "in_port=1,dl_src=50:00:00:00:00:01,dl_dst=50:00:00:00:00:02", "in_port=2,dl_src=50:00:00:00:00:02,dl_dst=50:00:00:00:00:01"
	if got := send(there, false); got != "2,3" {
		t.Errorf("unknown destination: %s", got)
	}
	if got := send(back, false); got != "1,3" {
		t.Errorf("learned without leave: %s", got)
	}
	send(there, true)
	if got := send(back, true); got != "1" {
		t.Errorf("known destination: %s", got)
	}
	if got := send("in_port=1,dl_src=50:00:00:00:00:01,dl_dst=50:00:00:00:00:01", false); got != "drop" {
		t.Errorf("destination behind the input port: %s", got)
	}
	if got := send("in_port=1,dl_src=50:00:00:00:00:01,dl_dst=01:80:c2:00:00:02", false); got != "drop" {
		t.Errorf("reserved multicast: %s", got)
	}
}

func TestVLANModes(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 6)
	modes := []struct {
		mode   VLANMode
		vlan   int
		trunks []uint16
	}{
		{VLANTrunk, -1, nil}, {VLANAccess, 10, nil}, {VLANAccess, 20, nil},
		{VLANNativeTagged, 10, []uint16{30}}, {VLANNativeUntagged, 10, []uint16{30}}, {VLANTrunk, -1, []uint16{10}},
	}
	for i, m := range modes {
		u := b.Bundles[i]
		u.VLANMode, u.VLAN, u.Trunks = m.mode, m.vlan, NewVLANSet(m.trunks)
	}
	addFlow(t, b, 0, "", 0, out(openflow.PortNormal))
	x := NewTranslator()
	for _, c := range []struct{ key, want string }{
		{"in_port=1", "drop"}, // no port carries VLAN 0 but the trunk of all
		{"in_port=1,dl_vlan=10", "pop_vlan,2,push_vlan(vid=10,pcp=0),4,pop_vlan,5,push_vlan(vid=10,pcp=0),6"},
		{"in_port=2", "push_vlan(vid=10,pcp=0),1,4,pop_vlan,5,push_vlan(vid=10,pcp=0),6"},
		{"in_port=2,dl_vlan=10", "drop"},
		{"in_port=4", "push_vlan(vid=10,pcp=0),1,pop_vlan,2,5,push_vlan(vid=10,pcp=0),6"},
		{"in_port=4,dl_vlan=30", "1,5"},
		{"in_port=4,dl_vlan=20", "drop"},
		{"in_port=6,dl_vlan=10", "1,pop_vlan,2,push_vlan(vid=10,pcp=0),4,pop_vlan,5"},
	} {
		r := x.Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, c.key+",dl_src=50:00:00:00:00:01"), Now: t0})
		if got := datapath.FormatActions(r.Actions, nil); got != c.want {
			t.Errorf("%s: got %s want %s", c.key, got, c.want)
		}
	}
}

func patchConfig(t *testing.T) (*Config, *Bridge, *Bridge) {
	cfg := newConfig()
	b0, b1 := newBridge(cfg, "br0", 1, 2), newBridge(cfg, "br1", 11, 2)
	p0, p1 := b0.addPort(cfg, 9, datapath.PortNone), b1.addPort(cfg, 9, datapath.PortNone)
	p0.Patch, p0.Peer, p0.Stats = true, p1, new(PortStats)
	p1.Patch, p1.Peer, p1.Stats = true, p0, new(PortStats)
	delete(cfg.ByDP, datapath.PortNone)
	return cfg, b0, b1
}

func TestPatchPortsIsolateBridges(t *testing.T) {
	cfg, b0, b1 := patchConfig(t)
	addFlow(t, b0, 0, "", 0, setField("reg0", 7), out(9), out(2))
	addFlow(t, b1, 0, "in_port=9,reg0=0", 0, &openflow.SetIPv4Dst{Addr: 1}, out(2))
	r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b0, Key: parseKey(t, "in_port=1,udp,nw_dst=2.2.2.2"), Now: t0})
	const want = "set(ipv4(dst=0.0.0.1)),12,set(ipv4(dst=2.2.2.2)),2"
	if got := datapath.FormatActions(r.Actions, nil); got != want {
		t.Errorf("got %s", got)
	}
	r.Effects.Push(Traffic{Packets: 2, Bytes: 120, Used: t0}, t0)
	if n := b0.Ports[9].Stats.TxPackets.Load(); n != 2 {
		t.Errorf("patch port sent %d packets", n)
	}
	if n := b1.Pipeline.Table(0).Matched.Load(); n != 2 {
		t.Errorf("table of the peer matched %d", n)
	}
	rules := b1.Pipeline.Table(0).Rules(b1.Pipeline.Version())
	if rules[0].Stats.Packets.Load() != 2 || rules[0].Stats.Bytes.Load() != 120 {
		t.Error("the peer's flow is not credited")
	}
}

// What a patch port that may not forward leads to is not done: sets that were
// pending before it still are.
func TestPatchPortThatForwardsNothing(t *testing.T) {
	cfg, b0, b1 := patchConfig(t)
	b1.Ports[9].NoForward = true
	addFlow(t, b0, 0, "", 0, &openflow.SetIPv4Dst{Addr: 0x09090909}, out(9), out(2))
	addFlow(t, b1, 0, "in_port=9", 0, &openflow.DecTTL{}, out(2))
	r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b0, Key: parseKey(t, "in_port=1,udp,nw_dst=2.2.2.2,nw_ttl=9"), Now: t0})
	if got, want := datapath.FormatActions(r.Actions, nil), "set(ipv4(dst=9.9.9.9)),2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGroups(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 3)
	bucket := func(watch openflow.PortNo, a ...openflow.Action) openflow.Bucket {
		return openflow.Bucket{WatchPort: watch, WatchGroup: openflow.GroupAny, Actions: a}
	}
	none := openflow.PortNone
	for id, g := range []*openflow.GroupMod{
		{Type: openflow.GroupTypeAll, Buckets: []openflow.Bucket{bucket(none, &openflow.SetIPv4Dst{Addr: 1}, out(2)), bucket(none, out(3))}},
		{Type: openflow.GroupTypeIndirect, Buckets: []openflow.Bucket{bucket(none, out(3), &openflow.DecTTL{})}},
		{Type: openflow.GroupTypeFF, Buckets: []openflow.Bucket{bucket(2, out(2)), bucket(3, out(3))}},
	} {
		g.ID = uint32(id)
		if _, err := b.Pipeline.GroupMod(g, t0); err != nil {
			t.Fatal(err)
		}
		addFlow(t, b, 0, "in_port=1,reg0="+string(rune('0'+id)), 1, &openflow.Group{ID: g.ID})
	}
	b.Ports[2].Config |= PortLinkDown
	for id, want := range []string{"set(ipv4(dst=0.0.0.1)),2,set(ipv4(dst=2.2.2.2)),3", "set(ipv4(ttl=63)),3", "3"} {
		k := parseKey(t, "in_port=1,udp,nw_dst=2.2.2.2,nw_ttl=64")
		k.Regs[0] = uint32(id)
		r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b, Key: k, Now: t0})
		if got := datapath.FormatActions(r.Actions, nil); got != want {
			t.Errorf("group %d: got %s want %s", id, got, want)
		}
	}
}

// A translation that is repeated allocates only the actions that it returns.
func TestTranslateAllocations(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 3)
	for _, p := range b.Order {
		p.Out = &datapath.Output{Port: p.DP}
	}
	addFlow(t, b, 0, "", 0, &openflow.Resubmit{InPort: openflow.PortInPort, Table: 1})
	addFlow(t, b, 1, "ip,nw_dst=10.0.0.0/8", 5, setField("reg0", 1), out(2))
	addFlow(t, b, 1, "", 0, out(openflow.PortNormal))
	x := NewTranslator()
	in := &Input{Config: cfg, Bridge: b, Key: parseKey(t, "in_port=1,tcp,nw_dst=10.1.1.1"), Now: t0}
	x.Translate(in)
	if n := testing.AllocsPerRun(100, func() { x.Translate(in) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTranslate(bm *testing.B) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 3)
	addFlow(bm, b, 0, "", 0, &openflow.Resubmit{InPort: openflow.PortInPort, Table: 1})
	addFlow(bm, b, 1, "ip,nw_dst=10.0.0.0/8", 5, setField("reg0", 1), out(2))
	x := NewTranslator()
	in := &Input{Config: cfg, Bridge: b, Key: parseKey(bm, "in_port=1,tcp,nw_dst=10.1.1.1"), Now: t0}
	bm.ReportAllocs()
	for range bm.N {
		x.Translate(in)
	}
}

// A translation that many commits overtook finds the flows that there are now,
// not that there are none.
func TestOvertakenTranslation(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 3)
	addFlow(t, b, 0, "in_port=1", 1, out(2))
	before := b.Pipeline.Version()
	for range 4 {
		addFlow(t, b, 0, "in_port=1", 1, out(3))
	}
	r := NewTranslator().Translate(&Input{Config: cfg, Bridge: b, Key: parseKey(t, "in_port=1,udp"), Version: before, Now: t0})
	if got := datapath.FormatActions(r.Actions, nil); got != "3" {
		t.Errorf("got %s, want 3", got)
	}
}

// A bucket's share of the connections is its weight's, by whichever hash, and a bucket
// that fails leaves the others theirs.
func TestSelectByFieldsSharesByWeight(t *testing.T) {
	cfg := newConfig()
	b := newBridge(cfg, "br0", 1, 5)
	g := &openflow.GroupMod{ID: 1, Type: openflow.GroupTypeSelect}
	g.Props.SelectionMethod = "hash"
	for w := openflow.PortNo(1); w <= 4; w++ {
		g.Buckets = append(g.Buckets, openflow.Bucket{ID: uint32(w), Weight: uint16(w), WatchPort: w + 1, WatchGroup: openflow.GroupAny, Actions: []openflow.Action{out(w + 1)}})
	}
	if _, err := b.Pipeline.GroupMod(g, t0); err != nil {
		t.Fatal(err)
	}
	addFlow(t, b, 0, "in_port=1", 1, &openflow.Group{ID: 1})
	const connections = 4000
	choose := func() (chosen [connections]datapath.PortNo, counts [6]int) {
		x := NewTranslator()
		k := parseKey(t, "in_port=1,tcp,nw_src=1.1.1.1,nw_dst=2.2.2.2,tp_dst=6")
		for i := range chosen {
			k.TpSrc = uint16(i)
			r := x.Translate(&Input{Config: cfg, Bridge: b, Key: k, Now: t0})
			if len(r.Actions) != 1 {
				t.Fatalf("connection %d: %s", i, datapath.FormatActions(r.Actions, nil))
			}
			chosen[i] = r.Actions[0].(*datapath.Output).Port
			counts[chosen[i]]++
		}
		return chosen, counts
	}
	before, counts := choose()
	for w := 1; w <= 4; w++ {
		// 6 standard deviations, at most 31.6 each
		if want := connections * w / 10; counts[w+1] < want-190 || counts[w+1] > want+190 {
			t.Errorf("bucket %d got %d of %d connections, want about %d", w, counts[w+1], connections, want)
		}
	}
	b.Ports[5].Config |= PortLinkDown
	after, _ := choose()
	for i := range before {
		if before[i] != 5 && after[i] != before[i] || after[i] == 5 {
			t.Fatalf("connection %d went to port %d, and to %d when port 5 failed", i, before[i], after[i])
		}
	}
}
