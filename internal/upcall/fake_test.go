package upcall

import (
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/openflow"
	"weir/internal/pipeline"
	"weir/internal/protocol/maclearn"
	"weir/internal/xlate"
)

// fakeDP is a data path of flows in a list, without ports. Its methods that are
// not here panic.
type fakeDP struct {
	datapath.Datapath
	now   func() time.Time
	mu    sync.Mutex // for flows: passes over many are the work of several goroutines
	flows map[datapath.UFID]*datapath.Flow
	puts  int
	h     datapath.UpcallHandler
}

func (d *fakeDP) Type() string { return "fake" }
func (d *fakeDP) Name() string { return "fake" }

func (d *fakeDP) FlowPut(f *datapath.Flow, mode datapath.PutMode) error {
	d.puts++
	old := d.flows[f.UFID]
	switch {
	case old == nil && mode&datapath.PutCreate == 0:
		return fs.ErrNotExist
	case old == nil:
		c := *f
		d.flows[f.UFID] = &c
	case mode&datapath.PutModify == 0:
		return fs.ErrExist
	default:
		old.Actions = f.Actions
	}
	return nil
}

func (d *fakeDP) FlowDel(u datapath.UFID, _ *flow.Key) (datapath.Stats, error) {
	d.mu.Lock()
	f := d.flows[u]
	delete(d.flows, u)
	d.mu.Unlock()
	if f == nil {
		return datapath.Stats{}, fs.ErrNotExist
	}
	d.gone(f)
	return f.Stats, nil
}

// gone tells the switch that a flow of its own has gone.
func (d *fakeDP) gone(f *datapath.Flow) {
	if f.Owner != nil {
		d.h.Removed(f.Owner, f.Stats)
	}
}

func (d *fakeDP) FlowOwn(u datapath.UFID, owner any) (*datapath.Flow, error) {
	f := d.flows[u]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	f.Owner = owner
	return d.FlowGet(u, nil)
}

func (d *fakeDP) DumpStats(batch []datapath.FlowStats, yield func([]datapath.FlowStats) bool) {
	d.mu.Lock()
	flows := slices.Collect(maps.Values(d.flows))
	d.mu.Unlock()
	n := 0
	for _, f := range flows {
		if n == len(batch) {
			if n = 0; !yield(batch) {
				return
			}
		}
		batch[n] = datapath.FlowStats{Owner: f.Owner, UFID: f.UFID, Stats: f.Stats}
		n++
	}
	if n > 0 {
		yield(batch[:n])
	}
}

func (d *fakeDP) FlowGet(u datapath.UFID, _ *flow.Key) (*datapath.Flow, error) {
	if f := d.flows[u]; f != nil {
		c := *f
		return &c, nil
	}
	return nil, fs.ErrNotExist
}

func (d *fakeDP) FlowDump(yield func(*datapath.Flow) bool) {
	for _, f := range d.flows {
		c := *f
		if !yield(&c) {
			return
		}
	}
}

func (d *fakeDP) FlowFlush() error {
	all := slices.Collect(maps.Values(d.flows))
	clear(d.flows)
	for _, f := range all {
		d.gone(f)
	}
	return nil
}

func (d *fakeDP) Execute(*netdev.Packet, *flow.Key, []datapath.Action) error { return nil }

// match finds the flow of a packet.
func (d *fakeDP) match(k *flow.Key) *datapath.Flow {
	for _, f := range d.flows {
		if matches(f, k) {
			return f
		}
	}
	return nil
}

func matches(f *datapath.Flow, k *flow.Key) bool {
	a, b, m := k.Words(), f.Key.Words(), f.Mask.Words()
	for i := flow.FirstDatapathWord; i < flow.NumWords; i++ {
		if (a[i]^b[i])&m[i] != 0 {
			return false
		}
	}
	return true
}

// rig is an engine on a fake data path, with one bridge of ports 1 to 4, whose
// data path ports have the same numbers, and a clock that stands still.
type rig struct {
	*Engine
	dp      *fakeDP
	clk     *clock.Clock
	cfg     *xlate.Config
	bridge  *xlate.Bridge
	pins    int    // packet-ins
	packets uint64 // sent
}

func newRig(t testing.TB, conf Config) *rig {
	r := &rig{clk: clock.New()}
	r.clk.Stop()
	r.dp = &fakeDP{now: r.clk.Now, flows: map[datapath.UFID]*datapath.Flow{}}
	r.cfg = &xlate.Config{
		Bridges: map[string]*xlate.Bridge{}, ByDP: map[datapath.PortNo]*xlate.Port{}, Recircs: xlate.NewRecircs(),
		Features: datapath.Features{Recirc: true, Clone: true, MaxVLANs: 2},
	}
	r.Engine = New(Options{
		Datapath: r.dp, Clock: r.clk, Snapshot: func() *xlate.Config { return r.cfg },
		PacketIn: func(*PacketIn) { r.pins++ }, Config: conf,
	})
	r.dp.h = r.Engine
	b := &xlate.Bridge{Name: "br0", MACs: maclearn.New(0, 0), Ports: map[openflow.PortNo]*xlate.Port{}, Miss: openflow.MissDrop}
	b.Pipeline = pipeline.New(r.Changed)
	for no := openflow.PortNo(1); no <= 4; no++ {
		p := &xlate.Port{Bridge: b, Name: "p" + string(rune('0'+no)), No: no, DP: datapath.PortNo(no)}
		p.Bundle = &xlate.Bundle{Bridge: b, Name: p.Name, Ports: []*xlate.Port{p}, VLAN: -1, Owner: p.Name}
		b.Ports[no], r.cfg.ByDP[p.DP] = p, p
		b.Order, b.Bundles = append(b.Order, p), append(b.Bundles, p.Bundle)
	}
	r.cfg.Bridges["br0"], r.bridge = b, b
	return r
}

// flowMod applies a flow mod in the syntax of ovs-ofctl.
func (r *rig) flowMod(t testing.TB, command openflow.FlowModCommand, text string) {
	t.Helper()
	fm, _, err := openflow.ParseFlowMod(text, int(command), openflow.ParseOptions{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if _, err := r.bridge.Pipeline.FlowMod(fm, r.clk.Now()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func (r *rig) add(t testing.TB, text string) { t.Helper(); r.flowMod(t, openflow.FlowAdd, text) }

func parseKey(t testing.TB, text string) *flow.Key {
	t.Helper()
	k, err := flow.ParseKey(text, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return k
}

// send has a packet come in, and says what the data path did with it.
func (r *rig) send(t testing.TB, text string) string {
	t.Helper()
	return datapath.FormatActions(r.sendKey(parseKey(t, text)), nil)
}

func (r *rig) sendKey(k *flow.Key) []datapath.Action {
	const size = 100
	r.packets++
	f := r.dp.match(k)
	if f == nil {
		p := netdev.NewPacket(size)
		p.Len = size
		u := &datapath.Upcall{Kind: datapath.UpcallMiss, Packet: &p, Key: k}
		v := r.HandleUpcall(u)
		if v.Install {
			f := &datapath.Flow{UFID: v.UFID, Key: *k, Mask: *v.Mask, Actions: v.Actions, Owner: v.Owner}
			r.Installed(u, &v, r.dp.FlowPut(f, datapath.PutCreate))
		}
		return v.Actions
	}
	f.Stats.Packets++
	f.Stats.Bytes += size
	f.Stats.Used = r.clk.Now()
	return f.Actions
}

// rule is the flow of a table with this text, nil for none.
func (r *rig) rule(t testing.TB, match string, priority int) *pipeline.Rule {
	t.Helper()
	m, err := flow.ParseMatch(match, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.SetDefaultPacketType()
	return r.bridge.Pipeline.Table(0).Find(r.bridge.Pipeline.Version(), m, priority)
}
