package ofproto

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/userspace"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
	"weir/internal/openflow"
	"weir/internal/stream"
)

// rig is a switch on dummy devices with a stopped clock.
type rig struct {
	t   *testing.T
	clk *clock.Clock
	set *dummy.Set
	dp  *userspace.DP
	be  *Backend
	dir string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, clk: clock.New(), dir: t.TempDir()}
	r.clk.Stop()
	r.set = dummy.NewSet(r.clk)
	dp, err := userspace.New(userspace.Config{Type: "dummy", Name: "ovs-dummy", Clock: r.clk, Synchronous: true})
	if err != nil {
		t.Fatal(err)
	}
	r.dp = dp
	r.be = NewBackend(Options{Datapath: dp, Clock: r.clk, RunDir: r.dir, Stream: stream.Options{RunDir: r.dir}})
	dp.Start()
	r.be.Start()
	t.Cleanup(func() {
		r.be.Close()
		_ = dp.Close()
	})
	return r
}

// bridge makes a bridge with n ports p1 to pn, each in a bundle of its own.
func (r *rig) bridge(name string, n int, secure bool) *Bridge {
	r.t.Helper()
	b, err := r.be.NewBridge(Config{Name: name, DPID: 1, Secure: secure})
	if err != nil {
		r.t.Fatal(err)
	}
	r.add(b, name, "dummy-internal", openflow.PortLocal)
	for i := 1; i <= n; i++ {
		r.add(b, fmt.Sprintf("p%d", i), "dummy", 0)
	}
	return b
}

func (r *rig) add(b *Bridge, name, typ string, no openflow.PortNo) netdev.Device {
	r.t.Helper()
	dev, err := r.set.Providers().Open(name, typ, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	no, err = b.AddPort(PortConfig{Name: name, Type: typ, Device: dev, Request: no})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := b.SetBundle(BundleConfig{Name: name, Ports: []openflow.PortNo{no}, VLAN: -1}); err != nil {
		r.t.Fatal(err)
	}
	return dev
}

// receive has a port receive the packet that a flow describes.
func (r *rig) receive(port, text string) {
	r.t.Helper()
	k, err := flow.ParseKey(text, nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	d, ok := r.set.Lookup(port)
	if !ok {
		r.t.Fatalf("no device %s", port)
	}
	d.Inject(0, flow.Compose(k, nil))
}

func (r *rig) sent(port string) uint64 {
	d, _ := r.set.Lookup(port)
	st, _ := d.Stats()
	return st.TxPackets
}

func (r *rig) flows() []*datapath.Flow {
	var out []*datapath.Flow
	r.dp.FlowDump(func(f *datapath.Flow) bool {
		c := *f
		out = append(out, &c)
		return true
	})
	return out
}

const (
	hostA = "dl_src=50:54:00:00:00:01,dl_dst=50:54:00:00:00:02,icmp,nw_src=10.0.0.1,nw_dst=10.0.0.2"
	hostB = "dl_src=50:54:00:00:00:02,dl_dst=50:54:00:00:00:01,icmp,nw_src=10.0.0.2,nw_dst=10.0.0.1"
)

// A standalone bridge floods what it doesn't know, learns, and forwards.
func TestNormalSwitching(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 3, false)
	r.receive("p1", hostA)
	if r.sent("p2") != 1 || r.sent("p3") != 1 || r.sent("p1") != 0 {
		t.Fatalf("unknown destination: p1 %d, p2 %d, p3 %d", r.sent("p1"), r.sent("p2"), r.sent("p3"))
	}
	r.receive("p2", hostB)
	if r.sent("p1") != 1 || r.sent("p3") != 1 {
		t.Fatalf("known destination: p1 %d, p3 %d", r.sent("p1"), r.sent("p3"))
	}
	if n, _, _ := b.MACs().Len(); n != 2 {
		t.Fatalf("%d addresses learned", n)
	}
	// The flow that flooded is wrong now that the address is known.
	r.be.Engine().Revalidate()
	r.receive("p1", hostA)
	if r.sent("p2") != 2 || r.sent("p3") != 1 {
		t.Fatalf("after learning: p2 %d, p3 %d", r.sent("p2"), r.sent("p3"))
	}
}

// Packets that the data path forwarded alone count on the OpenFlow flows.
func TestStatisticsReachFlows(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, false)
	for range 5 {
		r.receive("p1", hostA)
	}
	r.be.Engine().Revalidate()
	packets, bytes, n, err := b.pipe.Aggregate(selection(&openflow.FlowStatsRequest{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny}))
	if err != nil || n != 1 || packets != 5 || bytes != 5*106 {
		t.Fatalf("%d flows, %d packets, %d bytes, %v", n, packets, bytes, err)
	}
	if f := r.flows(); len(f) != 1 || f[0].Stats.Packets != 4 {
		t.Fatalf("flows %+v", f)
	}
}

// Flows of the data path go when nobody uses them, OpenFlow flows when their
// timeouts pass, and not before.
func TestExpiry(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	fm := &openflow.FlowMod{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, BufferID: openflow.NoBuffer,
		IdleTimeout: 5, Actions: []openflow.Action{&openflow.Output{Port: 2}}}
	if _, err := b.pipe.FlowMod(fm, r.clk.Now()); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		r.receive("p1", hostA)
		r.clk.Warp(4*time.Second, time.Second)
	}
	if b.pipe.Active(0) != 1 {
		t.Fatal("a flow in use has expired")
	}
	r.clk.Warp(7*time.Second, time.Second)
	if b.pipe.Active(0) != 0 {
		t.Fatal("an idle flow stays")
	}
	r.clk.Warp(11*time.Second, 500*time.Millisecond)
	if len(r.flows()) != 0 || r.be.Engine().Len() != 0 {
		t.Fatalf("%d idle flows stay in the data path, %d on record", len(r.flows()), r.be.Engine().Len())
	}
}

// peer is a controller in the test.
type peer struct {
	t   *testing.T
	c   net.Conn
	p   openflow.Protocol
	xid uint32
}

func (r *rig) connect(bridge string, v openflow.Version) *peer {
	r.t.Helper()
	return r.dial(filepath.Join(r.dir, bridge+".mgmt"), v)
}

func (p *peer) send(m openflow.Message) {
	p.t.Helper()
	p.xid++
	b, err := openflow.Encode(p.p, p.xid, m)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.c.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) recv() openflow.Message {
	p.t.Helper()
	_ = p.c.SetReadDeadline(time.Now().Add(time.Minute))
	b, err := readMessage(p.c)
	if err != nil {
		p.t.Fatal(err)
	}
	_, m, err := openflow.Decode(b, openflow.DecodeOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// readMessage reads one message, still encoded.
func readMessage(c net.Conn) ([]byte, error) {
	b := make([]byte, openflow.HeaderLen)
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	h, err := openflow.DecodeHeader(b)
	if err != nil {
		return nil, err
	}
	b = append(b, make([]byte, h.Length-openflow.HeaderLen)...)
	_, err = io.ReadFull(c, b[openflow.HeaderLen:])
	return b, err
}

func ask[T openflow.Message](p *peer, m openflow.Message) T {
	p.t.Helper()
	p.send(m)
	got := p.recv()
	want, ok := got.(T)
	if !ok {
		p.t.Fatalf("%T answered by %T: %v", m, got, got)
	}
	return want
}

func addFlow(match string, actions ...openflow.Action) *openflow.FlowMod {
	m, _ := flow.ParseMatch(match, nil)
	return &openflow.FlowMod{Match: *m, Priority: 100, OutPort: openflow.PortNone, OutGroup: openflow.GroupAny,
		BufferID: openflow.NoBuffer, Actions: actions}
}

// A controller programs the bridge and asks it, in every version.
func TestOpenFlowSession(t *testing.T) {
	for v := openflow.V10; v <= openflow.V15; v++ {
		t.Run(v.String(), func(t *testing.T) {
			r := newRig(t)
			r.bridge("br0", 2, true)
			p := r.connect("br0", v)
			if f := ask[*openflow.FeaturesReply](p, &openflow.FeaturesRequest{}); f.DatapathID != 1 || f.NumTables != 254 {
				t.Errorf("features %+v", f)
			}
			p.send(addFlow("in_port=1", &openflow.Output{Port: 2}))
			ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
			r.receive("p1", hostA)
			if r.sent("p2") != 1 {
				t.Error("the flow is not in force")
			}
			req := &openflow.FlowStatsRequest{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny}
			st := ask[*openflow.FlowStatsReply](p, req)
			if len(st.Stats) != 1 || st.Stats[0].Packets != 1 || st.Stats[0].Match.String() != "in_port=1" {
				t.Errorf("flows %+v", st.Stats)
			}
			if e := ask[*openflow.Error](p, &openflow.PortMod{PortNo: 77}); e.Code != openflow.ErrPMFCBadPort {
				t.Errorf("bad port mod: %v", e)
			}
			ask[*openflow.PortStatsReply](p, &openflow.PortStatsRequest{Port: openflow.PortNone})
			if tb := ask[*openflow.TableStatsReply](p, &openflow.TableStatsRequest{}); len(tb.Stats) != 254 || tb.Stats[0].Active != 1 {
				t.Errorf("tables %d", len(tb.Stats))
			}
		})
	}
}

// A packet that no flow matches goes to the controllers of OpenFlow 1.0, and a
// packet-out sends one.
func TestPacketInAndOut(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V13)
	p.send(&openflow.SetConfig{SwitchConfig: openflow.SwitchConfig{MissSendLen: 65535}})
	p.send(addFlow("in_port=1", &openflow.Output{Port: openflow.PortController, MaxLen: 0xffff}))
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	r.receive("p1", hostA)
	pin, ok := p.recv().(*openflow.PacketIn)
	if !ok || pin.Metadata.Key.InPort != 1 || len(pin.Data) != 106 {
		t.Fatalf("packet-in %+v", pin)
	}
	out := &openflow.PacketOut{BufferID: openflow.NoBuffer, Data: pin.Data, Actions: []openflow.Action{&openflow.Output{Port: 2}}}
	out.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(1))
	p.send(out)
	ask[*openflow.BarrierReply](p, &openflow.BarrierRequest{})
	if r.sent("p2") != 1 {
		t.Error("the packet-out has not been sent")
	}
}

// A bundle applies whole or not at all.
func TestBundleIsAtomic(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 2, true)
	p := r.connect("br0", openflow.V14)
	for i, last := range []openflow.Action{&openflow.Group{ID: 7}, &openflow.Output{Port: 2}} {
		id := uint32(i + 1)
		ctl := func(typ openflow.BundleCtrlType) *openflow.BundleControl {
			return &openflow.BundleControl{ID: id, Type: typ, Flags: openflow.BundleAtomic}
		}
		ask[*openflow.BundleControl](p, ctl(openflow.BundleOpenRequest))
		for _, a := range []openflow.Action{&openflow.Output{Port: 1}, last} {
			raw, err := openflow.Encode(p.p, 99, addFlow(fmt.Sprintf("reg0=%d", b.pipe.Active(0)+len(fmt.Sprintf("%T", a))), a))
			if err != nil {
				t.Fatal(err)
			}
			p.send(&openflow.BundleAdd{ID: id, Flags: openflow.BundleAtomic, Raw: raw})
		}
		p.send(ctl(openflow.BundleCommitRequest))
		failed := 0
		for {
			m := p.recv()
			if e, ok := m.(*openflow.Error); ok {
				failed++
				if e.Code == openflow.ErrBFCMsgFailed {
					break
				}
				continue
			}
			break
		}
		if n := b.pipe.Active(0); failed > 0 && n != 0 || failed == 0 && n != 1 {
			t.Errorf("bundle %d: %d errors, %d flows", id, failed, n)
		}
	}
}

func TestVersionNegotiationFails(t *testing.T) {
	r := newRig(t)
	b := r.bridge("br0", 0, true)
	if err := b.Configure(Config{Name: "br0", Secure: true, Versions: []uint8{uint8(openflow.V13)}}); err != nil {
		t.Fatal(err)
	}
	p := r.connect("br0", openflow.V10)
	e, ok := p.recv().(*openflow.Error)
	if !ok || e.Code != openflow.ErrHFCIncompatible || !strings.HasPrefix(string(e.Data), "We support version 0x04") {
		t.Fatalf("got %v", e)
	}
}

// A packet in a bundle meets the flows that come before it in the bundle, not
// those after it.
func TestBundledPacketOut(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 3, true)
	p := r.connect("br0", openflow.V14)
	ctl := func(typ openflow.BundleCtrlType) *openflow.BundleControl {
		return &openflow.BundleControl{ID: 1, Type: typ, Flags: openflow.BundleAtomic}
	}
	add := func(m openflow.Message) {
		raw, err := openflow.Encode(p.p, 99, m)
		if err != nil {
			t.Fatal(err)
		}
		p.send(&openflow.BundleAdd{ID: 1, Flags: openflow.BundleAtomic, Raw: raw})
	}
	out := &openflow.PacketOut{BufferID: openflow.NoBuffer, Data: make([]byte, 64), Actions: []openflow.Action{&openflow.Output{Port: openflow.PortTable}}}
	out.Metadata.SetExact(flow.FieldInPortOXM.Field(), flow.V(1))
	ask[*openflow.BundleControl](p, ctl(openflow.BundleOpenRequest))
	add(addFlow("in_port=1", &openflow.Output{Port: 2}))
	add(out)
	add(addFlow("in_port=1", &openflow.Output{Port: 3}))
	ask[*openflow.BundleControl](p, ctl(openflow.BundleCommitRequest))
	if r.sent("p2") != 1 || r.sent("p3") != 0 {
		t.Fatalf("p2 got %d packets, p3 %d", r.sent("p2"), r.sent("p3"))
	}
	st := ask[*openflow.FlowStatsReply](p, &openflow.FlowStatsRequest{OutPort: openflow.PortNone, OutGroup: openflow.GroupAny, TableID: openflow.TableAny})
	if len(st.Stats) != 1 || st.Stats[0].Actions[0].(*openflow.Output).Port != 3 {
		t.Fatalf("flows %+v", st.Stats)
	}
}

// What a table does with packets that match no flow is told by its statistics.
func TestTableMissIsTold(t *testing.T) {
	r := newRig(t)
	r.bridge("br0", 0, true)
	p := r.connect("br0", openflow.V12)
	p.send(&openflow.TableMod{TableID: 1, Miss: openflow.MissDrop, Eviction: -1, Vacancy: -1})
	st := ask[*openflow.TableStatsReply](p, &openflow.TableStatsRequest{})
	for i, want := range []openflow.TableMiss{openflow.MissController, openflow.MissDrop, openflow.MissController} {
		if got := st.Features[i].MissConfig; got != want {
			t.Errorf("table %d: %s, want %s", i, got, want)
		}
	}
}

// A bridge comes also where its configuration asks for what can't be, and says so each
// time; the rest is in force.
func TestPrefixesThatCantBe(t *testing.T) {
	r := newRig(t)
	cfg := Config{Name: "br0", Tables: map[uint8]TableConfig{7: {Name: "seven", Limit: 5, Prefixes: []string{"tcp_src", "nw_dst"}}}}
	b, err := r.be.NewBridge(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Configure(cfg); err == nil || !strings.Contains(err.Error(), `bridge br0: table 7: prefixes of field "tcp_src"`) {
			t.Errorf("the configuration is taken: %v", err)
		}
	}
	if c := b.pipe.Table(7).Conf(); c.Name != "seven" || c.Limit != 5 {
		t.Errorf("the rest is not in force: %+v", c)
	}
}
