package dptest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/packet"
)

const anyIPv4 = "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)"

// addPorts adds ports p1, p2 and so on, which get the numbers 1, 2 and so on.
func addPorts(t *testing.T, h *Harness, n int) {
	t.Helper()
	for i := range n {
		if no := h.AddPort(t, fmt.Sprintf("p%d", i+1)); int(no) != i+1 {
			t.Fatalf("port p%d has number %d", i+1, no)
		}
	}
}

func testTruncation(t *testing.T, h *Harness) {
	addPorts(t, h, 3)
	put(t, h.DP, anyIPv4, "3,trunc(30),2")
	in := frame(t, tcpPacket)
	h.Inject(t, 1, in)
	if got := h.Sent(t, 2, 1); len(got) != 1 || !bytes.Equal(got[0], in[:30]) {
		t.Errorf("cut to 30 bytes arrives %x", got)
	}
	if got := h.Sent(t, 3, 1); len(got) != 1 || !bytes.Equal(got[0], in) {
		t.Errorf("whole arrives %x", got)
	}
}

// testFlood sends one packet to many ports, changed on the way.
func testFlood(t *testing.T, h *Harness) {
	const ports = 48
	addPorts(t, h, ports)
	var actions bytes.Buffer
	for no := 2; no <= ports/2; no++ {
		fmt.Fprintf(&actions, "%d,", no)
	}
	actions.WriteString("push_vlan(vid=7,pcp=0)")
	for no := ports/2 + 1; no <= ports; no++ {
		fmt.Fprintf(&actions, ",%d", no)
	}
	put(t, h.DP, anyIPv4, actions.String())
	in := frame(t, tcpPacket)
	tagged := frame(t, "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x8100),vlan(vid=7,pcp=0),encap(eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2),tcp_flags(ack))")
	h.Inject(t, 1, in)
	for no := 2; no <= ports; no++ {
		want := in
		if no > ports/2 {
			want = tagged
		}
		if got := h.Sent(t, datapath.PortNo(no), 1); len(got) != 1 || !bytes.Equal(got[0], want) {
			t.Errorf("port %d sent %x, want one packet %x", no, got, want)
		}
	}
}

// superPacket is a TCP segment of many, as a host with segmentation offload
// hands it to its device.
func superPacket(t *testing.T) netdev.Packet {
	t.Helper()
	k, _, err := datapath.ParseKey(tcpPacket, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := flow.Compose(k, bytes.Repeat([]byte("0123456789abcdef"), 1000))
	const l4 = packet.EthLen + packet.IPv4Len
	sum := packet.PseudoIPv4(packet.Be32(b[26:]), packet.Be32(b[30:]), 6, len(b)-l4)
	packet.PutBe16(b[l4+16:], ^packet.Fold(sum))
	p := netdev.PacketOf(b)
	p.Offload = netdev.Offload{Flags: 1, GSOType: 1, HdrLen: l4 + 20, GSOSize: 1448, CsumStart: l4, CsumOff: 16}
	return p
}

// testSuperPacket checks that a super-packet stays one, forwarded and changed,
// hit and missed.
func testSuperPacket(t *testing.T, h *Harness) {
	addPorts(t, h, 3)
	in := superPacket(t)
	actions, err := datapath.ParseActions("2", nil)
	if err != nil {
		t.Fatal(err)
	}
	h.DP.SetUpcallHandler(&handler{upcall: func(u *datapath.Upcall) datapath.Verdict {
		if !bytes.Equal(u.Packet.Data(), in.Data()) {
			t.Errorf("a packet of %d bytes comes up, want the %d as they came in", u.Packet.Len, in.Len)
		}
		return datapath.Verdict{Actions: actions}
	}})
	check := func(what string, pkts []netdev.Packet, tag int) {
		t.Helper()
		if len(pkts) != 1 {
			t.Errorf("%s: %d packets arrive, want 1", what, len(pkts))
			return
		}
		o, want := pkts[0].Offload, in.Offload
		if pkts[0].Len != in.Len+tag || o.GSOType&^0x80 != want.GSOType || o.GSOSize != want.GSOSize ||
			int(o.CsumStart) != int(want.CsumStart)+tag || o.CsumOff != want.CsumOff {
			t.Errorf("%s: %d bytes with %+v arrive, want %d with %+v", what, pkts[0].Len, o, in.Len+tag, want)
		}
		if !partialSumRight(pkts[0].Data(), packet.EthLen+tag) {
			t.Errorf("%s: the partial checksum is wrong", what)
		}
	}
	pkt := in
	h.Receive(t, 1, &pkt)
	check("missed", h.Transmitted(t, 2, 1), 0)
	put(t, h.DP, anyIPv4+",tcp(src=1)", "2,set(ipv4(src=1.2.3.4)),set(tcp(dst=99)),push_vlan(vid=5,pcp=0),3")
	pkt = in
	h.Receive(t, 1, &pkt)
	check("forwarded", h.Transmitted(t, 2, 1), 0)
	check("changed", h.Transmitted(t, 3, 1), packet.VLANLen)
}

// partialSumRight reports whether the checksum field of a TCP segment holds the
// sum of the pseudo header alone.
func partialSumRight(b []byte, l3 int) bool {
	l4 := l3 + packet.IPv4Len
	sum := packet.PseudoIPv4(packet.Be32(b[l3+12:]), packet.Be32(b[l3+16:]), 6, len(b)-l4)
	return packet.Be16(b[l4+16:]) == ^packet.Fold(sum)
}

func testMeter(t *testing.T, h *Harness) {
	m, ok := h.DP.(datapath.Meterer)
	if !ok {
		t.Skip("the data path has no meters")
	}
	addPorts(t, h, 2)
	if err := m.MeterSet(3, datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 1, Burst: 2}}}); err != nil {
		t.Fatal(err)
	}
	put(t, h.DP, anyIPv4, "meter(3),2")
	in := frame(t, tcpPacket)
	const sent = 40 // on no machine so slow that they take as many seconds
	for range sent {
		h.Inject(t, 1, in)
	}
	// Those that go on and those that are dropped are all.
	s, err := m.MeterStats(3)
	if err != nil || len(s.Bands) != 1 {
		t.Fatalf("meter counts %+v (%v)", s, err)
	}
	got := len(h.Sent(t, 2, sent-int(s.Bands[0].Packets)))
	if got < 2 || got >= sent {
		t.Errorf("%d of %d packets pass a meter of 1 a second with a burst of 2", got, sent)
	}
	if s.In.Packets != sent || s.Bands[0].Packets != uint64(sent-got) {
		t.Errorf("meter counts %+v, want %d in, %d dropped", s, sent, sent-got)
	}
	if err := m.MeterDel(3); err != nil {
		t.Error(err)
	}
	if err := m.MeterDel(3); err == nil {
		t.Error("the meter is removed twice")
	}
}

// testHash splits flows by their hash, as a select group does: each connection
// always goes the same way, and some go either.
func testHash(t *testing.T, h *Harness) {
	addPorts(t, h, 3)
	put(t, h.DP, anyIPv4, "hash(l4(0)),recirc(0x5)")
	put(t, h.DP, "recirc_id(0x5),dp_hash(0x0/0x1),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800)", "2")
	put(t, h.DP, "recirc_id(0x5),dp_hash(0x1/0x1),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800)", "3")
	ways := map[int]int{}
	for port := range 24 {
		in := frame(t, fmt.Sprintf("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=%d,dst=2),tcp_flags(ack)", 1000+port))
		for range 2 {
			h.Inject(t, 1, in)
		}
		way := func(hash int) int { // the packets that went there, so that they are waited for
			k, _, err := datapath.ParseKey(fmt.Sprintf("recirc_id(0x5),dp_hash(%d/0x1),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800)", hash), nil)
			if err != nil {
				t.Fatal(err)
			}
			f, err := h.DP.FlowGet(datapath.UFID{}, k)
			if err != nil {
				t.Fatal(err)
			}
			return int(f.Stats.Packets) - 2*ways[2+hash]
		}
		a, b := len(h.Sent(t, 2, way(0))), len(h.Sent(t, 3, way(1)))
		if a+b != 2 || a == b {
			t.Errorf("of 2 packets of one connection %d go one way, %d the other", a, b)
		}
		if a == 2 {
			ways[2]++
		} else {
			ways[3]++
		}
	}
	if ways[2] == 0 || ways[3] == 0 {
		t.Errorf("connections per way: %v; want some on either", ways)
	}
}

func testSampling(t *testing.T, h *Harness) {
	addPorts(t, h, 3)
	put(t, h.DP, anyIPv4, "sample(sample=50.0%,actions(2)),3")
	in := frame(t, tcpPacket)
	const sent = 60
	for range sent {
		h.Inject(t, 1, in)
	}
	if n := len(h.Sent(t, 3, sent)); n != sent {
		t.Errorf("%d of %d packets arrive", n, sent)
	}
	// Outside of this once in a hundred million runs.
	if n := len(h.Sent(t, 2, 0)); n < sent/8 || n > sent*7/8 {
		t.Errorf("%d of %d packets are sampled, want about half", n, sent)
	}
}

// testModify changes the actions of a flow under traffic.
func testModify(t *testing.T, h *Harness) {
	addPorts(t, h, 3)
	f := put(t, h.DP, anyIPv4, "2")
	in := frame(t, tcpPacket)
	for i, actions := range []string{"3", "push_vlan(vid=1,pcp=0),pop_vlan,2", "drop", "2,3"} {
		a, err := datapath.ParseActions(actions, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.Actions = a
		if err := h.DP.FlowPut(f, datapath.PutModify); err != nil {
			t.Fatal(err)
		}
		h.Inject(t, 1, in)
		want := [][2]int{{0, 1}, {1, 0}, {0, 0}, {1, 1}}[i]
		if got := [2]int{len(h.Sent(t, 2, want[0])), len(h.Sent(t, 3, want[1]))}; got != want {
			t.Errorf("with actions %s, %v packets leave, want %v", actions, got, want)
		}
	}
	got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key)
	if err != nil || got.Stats.Packets != 4 {
		t.Errorf("the flow counts %+v (%v), want the 4 packets", got.Stats, err)
	}
	if err := h.DP.FlowPut(f, datapath.PutModify|datapath.PutZeroStats); err != nil {
		t.Fatal(err)
	}
	if got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key); err != nil || got.Stats.Packets != 0 {
		t.Errorf("the flow counts %+v (%v) after it was set to zero", got.Stats, err)
	}
}

func testStatsDump(t *testing.T, h *Harness) {
	addPorts(t, h, 2)
	put(t, h.DP, anyIPv4, "2")
	put(t, h.DP, "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0806)", "drop")
	for range 3 {
		h.Inject(t, 1, frame(t, tcpPacket))
	}
	want := map[datapath.UFID]uint64{}
	h.DP.FlowDump(func(f *datapath.Flow) bool { want[f.UFID] = f.Stats.Packets; return true })
	got := 0
	h.DP.DumpStats(make([]datapath.FlowStats, 1), func(batch []datapath.FlowStats) bool {
		for _, b := range batch {
			if n, ok := want[b.UFID]; !ok || n != b.Stats.Packets {
				t.Errorf("flow %s counts %d packets, a dump of flows shows %d", datapath.FormatUFID(b.UFID), b.Stats.Packets, n)
			}
			got++
		}
		return true
	})
	if got != 2 {
		t.Errorf("%d flows, want 2", got)
	}
}

// testOwner follows what the switch keeps of a flow: it comes back in dumps, and
// with the last statistics when the flow goes, however that happens.
func testOwner(t *testing.T, h *Harness) {
	addPorts(t, h, 2)
	type removal struct {
		Owner   any
		Packets uint64
	}
	var gone []removal
	h.DP.SetUpcallHandler(&handler{removed: func(owner any, s datapath.Stats) { gone = append(gone, removal{owner, s.Packets}) }})
	install := func(owner any) *datapath.Flow {
		f := put(t, h.DP, anyIPv4, "2")
		got, err := h.DP.FlowGet(datapath.UFID{}, &f.Key)
		if err != nil || got.Owner != nil {
			t.Fatalf("a new flow has owner %v (%v)", got.Owner, err)
		}
		if got, err = h.DP.FlowOwn(got.UFID, owner); err != nil || got.Owner != owner {
			t.Fatalf("owner is %v (%v), want %v", got.Owner, err, owner)
		}
		if _, err := h.DP.FlowOwn(got.UFID, "another"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("another owner: %v, want fs.ErrExist", err)
		}
		return got
	}
	f := install("first")
	h.Inject(t, 1, frame(t, tcpPacket))
	h.DP.DumpStats(make([]datapath.FlowStats, 4), func(batch []datapath.FlowStats) bool {
		if len(batch) != 1 || batch[0].Owner != "first" {
			t.Errorf("dump shows %+v", batch)
		}
		return true
	})
	if _, err := h.DP.FlowDel(f.UFID, &f.Key); err != nil {
		t.Fatal(err)
	}
	install("second")
	if err := h.DP.FlowFlush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]removal{{"first", 1}, {"second", 0}}, gone); diff != "" {
		t.Errorf("removals, -want +got:\n%s", diff)
	}
	if _, err := h.DP.FlowOwn(f.UFID, "third"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("owner of no flow: %v, want fs.ErrNotExist", err)
	}
}
