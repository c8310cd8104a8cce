// Package dptest is the suite of tests that every data path passes, whatever
// it is made of.
package dptest

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
)

// Harness is a data path under test with ports that the test holds the other
// end of.
type Harness struct {
	DP datapath.Datapath
	// AddPort makes a device of that name and attaches it with a number of
	// the data path's choice.
	AddPort func(t *testing.T, name string) datapath.PortNo
	// Receive lets a packet come in on a port and returns when it has been
	// processed.
	Receive func(t *testing.T, no datapath.PortNo, pkt *netdev.Packet)
	// Transmitted takes the packets that went out of a port since the last call.
	// Where they are under way for a while it waits for as many as are wanted.
	Transmitted func(t *testing.T, no datapath.PortNo, want int) []netdev.Packet
}

// Inject lets a frame come in on a port.
func (h *Harness) Inject(t *testing.T, no datapath.PortNo, frame []byte) {
	t.Helper()
	pkt := netdev.PacketOf(frame)
	h.Receive(t, no, &pkt)
}

// Sent takes the frames that went out of a port since the last call, where so
// many should have.
func (h *Harness) Sent(t *testing.T, no datapath.PortNo, want int) (frames [][]byte) {
	t.Helper()
	for _, p := range h.Transmitted(t, no, want) {
		frames = append(frames, p.Data())
	}
	return frames
}

// Factory makes a data path for one test and sees to its end.
type Factory func(t *testing.T) *Harness

// Run runs the whole suite.
func Run(t *testing.T, factory Factory) {
	for name, test := range map[string]func(*testing.T, *Harness){
		"Ports":       testPorts,
		"Flows":       testFlows,
		"Actions":     testActions,
		"Miss":        testMiss,
		"UserAction":  testUserAction,
		"Statistics":  testStatistics,
		"Execute":     testExecute,
		"MaskOrder":   testManyMasks,
		"DumpAndDrop": testFlush,
		"Truncation":  testTruncation,
		"Flood":       testFlood,
		"SuperPacket": testSuperPacket,
		"Meter":       testMeter,
		"Hash":        testHash,
		"Sampling":    testSampling,
		"Modify":      testModify,
		"StatsDump":   testStatsDump,
		"Owner":       testOwner,
		"Watch":       testWatch,
		"WatchAll":    testWatchAll,
	} {
		t.Run(name, func(t *testing.T) { test(t, factory(t)) })
	}
}

// frame composes the packet that a data path flow describes.
func frame(t *testing.T, text string) []byte {
	t.Helper()
	k, _, err := datapath.ParseKey(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return flow.Compose(k, []byte("payload!"))
}

// put installs a flow given as text, in which a data path's essentials are
// exact.
func put(t *testing.T, dp datapath.Datapath, key, actions string) *datapath.Flow {
	t.Helper()
	k, m, err := datapath.ParseKey(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := datapath.ParseActions(actions, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &datapath.Flow{Key: *k, Mask: *m, Actions: a}
	if err := dp.FlowPut(f, datapath.PutCreate); err != nil {
		t.Fatal(err)
	}
	return f
}

func testPorts(t *testing.T, h *Harness) {
	a := h.AddPort(t, "a1")
	b := h.AddPort(t, "b2")
	if a == b {
		t.Errorf("two ports have number %d", a)
	}
	names := map[string]datapath.PortNo{}
	for _, p := range h.DP.Ports() {
		names[p.Name] = p.No
	}
	if names["a1"] != a || names["b2"] != b {
		t.Errorf("ports are %v, want a1 at %d and b2 at %d", names, a, b)
	}
	namer := h.DP.Namer()
	if name, ok := namer.Name(a); name != "a1" || !ok {
		t.Errorf("port %d is called %q", a, name)
	}
	if no, ok := namer.Number("b2"); no != b || !ok {
		t.Errorf("b2 has number %d, want %d", no, b)
	}
	if err := h.DP.PortDel(a); err != nil {
		t.Error(err)
	}
	namer = h.DP.Namer()
	if name, ok := namer.Name(a); ok {
		t.Errorf("port %d is still called %q", a, name)
	}
	if no, ok := namer.Number("a1"); ok {
		t.Errorf("a1 still has number %d", no)
	}
	if err := h.DP.PortDel(a); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second removal says %v, want fs.ErrNotExist", err)
	}
}

func testFlows(t *testing.T, h *Harness) {
	in := h.AddPort(t, "p1")
	key := fmt.Sprintf("recirc_id(0),in_port(%d),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", in)
	f := put(t, h.DP, key, "1,2")
	if err := h.DP.FlowPut(f, datapath.PutCreate); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second creation says %v, want fs.ErrExist", err)
	}
	if _, err := h.DP.FlowGet(datapath.UFID{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a UFID of zero without a key says %v, want fs.ErrNotExist", err)
	}
	got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if text := datapath.FormatKey(&got.Key, &got.Mask, false, nil); text != key {
		t.Errorf("flow is %s, want %s", text, key)
	}
	f.Actions = nil
	if err := h.DP.FlowPut(f, datapath.PutModify); err != nil {
		t.Fatal(err)
	}
	n := 0
	h.DP.FlowDump(func(f *datapath.Flow) bool {
		n++
		if text := datapath.FormatActions(f.Actions, nil); text != "drop" {
			t.Errorf("actions are %s after modification", text)
		}
		return true
	})
	if n != 1 {
		t.Errorf("dump shows %d flows, want 1", n)
	}
	if _, err := h.DP.FlowDel(got.UFID, &f.Key); err != nil {
		t.Error(err)
	}
	if _, err := h.DP.FlowDel(got.UFID, &f.Key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second deletion says %v, want fs.ErrNotExist", err)
	}
	if err := h.DP.FlowPut(f, datapath.PutModify); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("modification of nothing says %v, want fs.ErrNotExist", err)
	}
}

const (
	tcpPacket  = "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"
	udp6Packet = "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=17,tclass=0,hlimit=64,frag=no),udp(src=1,dst=2)"
	arpPacket  = "eth(src=00:00:00:00:00:01,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)"
	ndPacket   = "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80::2,sll=00:00:00:00:00:01)"
)

// actionCases say what leaves the other ports when a packet comes in on port 1
// and a flow executes actions on it. Packets are data path flows.
var actionCases = []struct {
	name, in, actions string
	out1, out2, out3  []string
}{
	{name: "output", in: tcpPacket, actions: "2", out2: []string{tcpPacket}},
	{name: "two outputs", in: tcpPacket, actions: "2,3,2", out2: []string{tcpPacket, tcpPacket}, out3: []string{tcpPacket}},
	{name: "drop", in: tcpPacket, actions: "drop"},
	{name: "missing port", in: tcpPacket, actions: "999,2", out2: []string{tcpPacket}},
	{name: "push and pop vlan", in: tcpPacket, actions: "push_vlan(vid=5,pcp=3),2,pop_vlan,3",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x8100),vlan(vid=5,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack))"},
		out3: []string{tcpPacket}},
	{name: "clone keeps the packet", in: tcpPacket, actions: "clone(push_vlan(vid=5,pcp=0),pop_vlan,set(eth(src=00:00:00:00:00:09)),2),3",
		out2: []string{"eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"},
		out3: []string{tcpPacket}},
	{name: "change after a clone's output", in: tcpPacket, actions: "clone(2),set(eth(src=00:00:00:00:00:09)),3",
		out2: []string{tcpPacket},
		out3: []string{"eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"}},
	{name: "set ipv4 and tcp", in: tcpPacket, actions: "2,set(ipv4(src=1.2.3.4,dst=5.6.0.0/255.255.0.0,tos=0x10,ttl=3)),set(tcp(src=7,dst=8)),3",
		out2: []string{tcpPacket},
		out3: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=1.2.3.4,dst=5.6.0.2,proto=6,tos=0x10,ttl=3,frag=no),tcp(src=7,dst=8),tcp_flags(ack)"}},
	{name: "set ipv6 and udp", in: udp6Packet, actions: "set(ipv6(src=fe80::5,label=0x7,tclass=0x8,hlimit=3)),set(udp(dst=99)),2",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x86dd),ipv6(src=fe80::5,dst=fe80::2,label=0x7,proto=17,tclass=0x8,hlimit=3,frag=no),udp(src=1,dst=99)"}},
	{name: "set arp", in: arpPacket, actions: "set(arp(sip=1.1.1.1,tip=2.2.2.2,op=2,sha=00:00:00:00:00:05,tha=00:00:00:00:00:06)),2",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=ff:ff:ff:ff:ff:ff),eth_type(0x0806),arp(sip=1.1.1.1,tip=2.2.2.2,op=2,sha=00:00:00:00:00:05,tha=00:00:00:00:00:06)"}},
	{name: "set nd", in: ndPacket, actions: "set(nd(target=fe80::9,sll=00:00:00:00:00:07)),2",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80::9,sll=00:00:00:00:00:07)"}},
	{name: "push and pop mpls", in: tcpPacket, actions: "push_mpls(label=3,tc=1,ttl=9,bos=1,eth_type=0x8847),pop_mpls(eth_type=0x800),2", out2: []string{tcpPacket}},
	{name: "double tags", in: tcpPacket, actions: "push_vlan(vid=5,pcp=3),push_vlan(tpid=0x88a8,vid=6,pcp=1),pop_vlan,2,pop_vlan,3",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x8100),vlan(vid=5,pcp=3),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack))"},
		out3: []string{tcpPacket}},
	{name: "addresses", in: tcpPacket, actions: "set(eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:08)),2",
		out2: []string{"eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:08),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"}},
	{name: "dscp alone", in: tcpPacket, actions: "set(ipv4(tos=0x20/0xfc)),2",
		out2: []string{"eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0x20,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"}},
	{name: "clone of a clone", in: tcpPacket, actions: "clone(clone(set(eth(src=00:00:00:00:00:09)),2),3),1",
		out1: []string{tcpPacket},
		out2: []string{"eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"},
		out3: []string{tcpPacket}},
	{name: "back to where it came from", in: tcpPacket, actions: "2,1", out2: []string{tcpPacket}, out1: []string{tcpPacket}},
	{name: "sample of all", in: tcpPacket, actions: "sample(sample=100.0%,actions(2)),sample(sample=0.0%,actions(3))", out2: []string{tcpPacket}},
	{name: "length", in: tcpPacket, actions: "check_pkt_len(size=200,gt(3),le(2))", out2: []string{tcpPacket}},
	{name: "ethernet off and on", in: tcpPacket, actions: "pop_eth,push_eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),2", out2: []string{tcpPacket}},
	{name: "recirculation", in: tcpPacket, actions: "3,set(eth(src=00:00:00:00:00:09)),recirc(0x7)",
		out3: []string{tcpPacket},
		out2: []string{"eth(src=00:00:00:00:00:09,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack)"}},
}

func testActions(t *testing.T, h *Harness) {
	for i, name := range []string{"p1", "p2", "p3"} {
		if no := h.AddPort(t, name); int(no) != i+1 {
			t.Fatalf("port %s has number %d", name, no)
		}
	}
	for _, tc := range actionCases {
		t.Run(tc.name, func(t *testing.T) {
			if err := h.DP.FlowFlush(); err != nil {
				t.Fatal(err)
			}
			in := frame(t, tc.in)
			ethType := fmt.Sprintf("eth_type(%#04x)", int(in[12])<<8|int(in[13]))
			put(t, h.DP, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),"+ethType, tc.actions)
			put(t, h.DP, "recirc_id(7),in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:09),"+ethType, "2")
			h.Inject(t, 1, in)
			for no, texts := range map[datapath.PortNo][]string{1: tc.out1, 2: tc.out2, 3: tc.out3} {
				var want [][]byte
				for _, text := range texts {
					want = append(want, frame(t, text))
				}
				if diff := cmp.Diff(want, h.Sent(t, no, len(want))); diff != "" {
					t.Errorf("port %d, -want +got:\n%s", no, diff)
				}
			}
		})
	}
}

// handler is an UpcallHandler made of a function.
type handler struct {
	upcall    func(*datapath.Upcall) datapath.Verdict
	removed   func(owner any, stats datapath.Stats)
	installed []error
}

func (h *handler) HandleUpcall(u *datapath.Upcall) datapath.Verdict { return h.upcall(u) }
func (h *handler) Installed(_ *datapath.Upcall, _ *datapath.Verdict, err error) {
	h.installed = append(h.installed, err)
}
func (h *handler) Removed(owner any, stats datapath.Stats) { h.removed(owner, stats) }

func testMiss(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	h.AddPort(t, "p2")
	_, mask, err := datapath.ParseKey("recirc_id(0),in_port(0),packet_type(ns=0,id=0),eth_type(0)", nil)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	hd := &handler{upcall: func(u *datapath.Upcall) datapath.Verdict {
		calls++
		if u.Kind != datapath.UpcallMiss || u.Key.InPort != 1 || u.Key.TpSrc != 1 {
			t.Errorf("upcall of kind %d with key %s", u.Kind, datapath.FormatKey(u.Key, nil, false, nil))
		}
		return datapath.Verdict{Actions: []datapath.Action{&datapath.Output{Port: 2}}, Mask: mask, UFID: datapath.UFID{1}, Install: true}
	}}
	h.DP.SetUpcallHandler(hd)
	in := frame(t, tcpPacket)
	for range 3 {
		h.Inject(t, 1, in)
	}
	if calls != 1 || len(hd.installed) != 1 || hd.installed[0] != nil {
		t.Errorf("%d upcalls, installations %v; want one of each", calls, hd.installed)
	}
	if got := len(h.Sent(t, 2, 3)); got != 3 {
		t.Errorf("%d packets arrived, want 3", got)
	}
	st, err := h.DP.FlowDel(datapath.UFID{1}, nil)
	if err != nil || st.Packets != 2 {
		t.Errorf("flow counted %d packets (%v), want 2", st.Packets, err)
	}
	s := h.DP.Stats()
	if s.Hit != 2 || s.Missed != 1 || s.Lost != 0 {
		t.Errorf("data path counted %+v, want 2 hits, 1 miss", s)
	}
}

func testUserAction(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	var got []datapath.Cookie
	h.DP.SetUpcallHandler(&handler{upcall: func(u *datapath.Upcall) datapath.Verdict {
		if u.Kind != datapath.UpcallAction || u.Key.VLANs[0].TCI&0xfff != 5 {
			t.Errorf("upcall of kind %d with key %s", u.Kind, datapath.FormatKey(u.Key, nil, false, nil))
		}
		got = append(got, u.Cookie)
		return datapath.Verdict{}
	}})
	put(t, h.DP, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800)", "push_vlan(vid=5,pcp=0),userspace(pid=0,controller(reason=1,dont_send=0,continuation=0,recirc_id=3,rule_cookie=0x12,controller_id=0,max_len=99))")
	h.Inject(t, 1, frame(t, tcpPacket))
	want := []datapath.Cookie{{Kind: datapath.CookieController, Reason: 1, RecircID: 3, RuleCookie: 0x12, MaxLen: 99}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cookies, -want +got:\n%s", diff)
	}
}

func testStatistics(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	f := put(t, h.DP, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", "drop")
	in := frame(t, tcpPacket)
	for range 5 {
		h.Inject(t, 1, in)
	}
	got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Stats; s.Packets != 5 || s.Bytes != uint64(5*len(in)) || s.TCPFlags != 0x10 || s.Used.IsZero() {
		t.Errorf("flow counted %+v, want 5 packets of %d bytes with ACK", s, len(in))
	}
}

func testExecute(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	h.AddPort(t, "p2")
	pkt := netdev.PacketOf(frame(t, tcpPacket))
	var k flow.Key
	flow.Extract(pkt.Data(), &k)
	actions, err := datapath.ParseActions("set(eth(src=00:00:00:00:00:01)),2", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.DP.Execute(&pkt, &k, actions); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{frame(t, tcpPacket)}, h.Sent(t, 2, 1)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// testManyMasks puts flows of many masks beside each other and checks that
// each packet takes its own, also when the cache has seen the others.
func testManyMasks(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	h.AddPort(t, "p2")
	h.AddPort(t, "p3")
	for i := range 16 {
		m := ^uint32(0) << i
		ip := uint32(20+i)<<24 | 1<<i
		put(t, h.DP, fmt.Sprintf("recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(dst=%s/%s,frag=no)", addr(ip), addr(m)), fmt.Sprint(2+i%2))
	}
	for range 3 {
		for i := range 16 {
			text := fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=1.1.1.1,dst=%s,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=2)", addr(uint32(20+i)<<24|1<<i), i+1)
			in := frame(t, text)
			h.Inject(t, 1, in)
			if diff := cmp.Diff([][]byte{in}, h.Sent(t, datapath.PortNo(2+i%2), 1)); diff != "" {
				t.Errorf("flow %d, -want +got:\n%s", i, diff)
			}
		}
	}
}

func addr(v uint32) string {
	return fmt.Sprintf("%d.%d.%d.%d", v>>24, v>>16&255, v>>8&255, v&255)
}

func testFlush(t *testing.T, h *Harness) {
	h.AddPort(t, "p1")
	h.AddPort(t, "p2")
	put(t, h.DP, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800)", "2")
	in := frame(t, tcpPacket)
	h.Inject(t, 1, in)
	if err := h.DP.FlowFlush(); err != nil {
		t.Fatal(err)
	}
	h.Inject(t, 1, in)
	if got := len(h.Sent(t, 2, 1)); got != 1 {
		t.Errorf("%d packets arrived, want only the one before the flush", got)
	}
	h.DP.FlowDump(func(f *datapath.Flow) bool {
		t.Errorf("flow %s survived the flush", datapath.FormatKey(&f.Key, &f.Mask, false, nil))
		return true
	})
}
