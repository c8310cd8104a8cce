package program

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/lab"
	"weir/internal/netdev"
	"weir/internal/packet"
)

// udp is a frame of a flow, and its key.
func udp(t *testing.T, src, dst uint32) ([]byte, flow.Key) {
	t.Helper()
	k := flow.Key{EthSrc: packet.MACFromUint64(0x20000000001), EthDst: packet.MACFromUint64(0x20000000002), EthType: packet.EtherTypeIPv4,
		IPSrc: src, IPDst: dst, NwProto: packet.ProtoUDP, NwTTL: 64, TpSrc: 1000, TpDst: 2000}
	frame := flow.Compose(&k, []byte("0123456789012345678901234567890123456789"))
	k = flow.Key{}
	flow.Extract(frame, &k)
	k.InPort = inPort
	return frame, k
}

// install puts a flow given by its key and the words that count.
func (n *tapnet) install(t *testing.T, k *flow.Key, m *flow.Mask, actions string) Ref {
	t.Helper()
	list, err := datapath.ParseActions(actions, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, why := n.set.Compile(k, m, list)
	if why != nil {
		t.Fatal(why)
	}
	r, err := n.set.Put(k, m, datapath.UFID{1}, code)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.set.Commit(); err != nil {
		verifierLog(t, err)
	}
	return r
}

func (n *tapnet) send(t *testing.T, frame []byte, o netdev.Offload) {
	t.Helper()
	pkt := netdev.NewPacket(len(frame))
	pkt.Len, pkt.Offload = len(frame), o
	copy(pkt.Data(), frame)
	if err := n.inject(&pkt); err != nil {
		t.Fatal(err)
	}
}

// l2Mask looks at the addresses and the type.
func l2Mask() *flow.Mask {
	ones := packet.MACFromUint64(1<<48 - 1)
	return &flow.Mask{InPort: ^uint32(0), RecircID: ^uint32(0), EthSrc: ones, EthDst: ones, EthType: 0xffff, VLANs: [2]flow.VLAN{{TPID: 0xffff, TCI: 0xffff}}}
}

// A miss brings the whole packet: tags in place, offload as it was.
func TestMissCarriesPacket(t *testing.T) {
	n := newTapnet(t, Config{VLANLimit: 2})
	plain, k := udp(t, 0x0a000001, 0x0a000002)
	tag := func(frame []byte, tpid, tci uint16) []byte {
		out := append([]byte{}, frame[:12]...)
		out = append(out, byte(tpid>>8), byte(tpid), byte(tci>>8), byte(tci))
		return append(out, frame[12:]...)
	}
	partial := netdev.Offload{Flags: 1, CsumStart: 34, CsumOff: 6}
	inTag := partial
	inTag.CsumStart += 4
	inTwo := partial
	inTwo.CsumStart += 8
	tcp := flow.Compose(&flow.Key{EthSrc: k.EthSrc, EthDst: k.EthDst, EthType: packet.EtherTypeIPv4, IPSrc: 1, IPDst: 2, NwTTL: 64, NwProto: packet.ProtoTCP,
		TCPFlags: packet.TCPAck}, make([]byte, 3000))
	big := tag(tcp, 0x8100, 5)
	super := netdev.Offload{Flags: 1, GSOType: 1, GSOSize: 1000, HdrLen: 58, CsumStart: 38, CsumOff: 16}
	other := k
	other.EthDst[5] = 99
	n.install(t, &other, l2Mask(), "2") // a mask, so that main parses
	for _, tc := range []struct {
		name  string
		frame []byte
		o     netdev.Offload
	}{
		{"plain", plain, netdev.Offload{}},
		{"partial", plain, partial},
		{"tagged", tag(plain, 0x8100, 0x2005), inTag},
		{"double", tag(tag(plain, 0x8100, 7), 0x88a8, 0x1fff), inTwo},
		{"super-packet", big, super},
	} {
		n.send(t, tc.frame, tc.o)
		ups := n.drain(n.up)
		if len(ups) != 1 {
			t.Errorf("%s: %d upcalls", tc.name, len(ups))
			continue
		}
		var u Upcall
		off, err := ParseUpcall(ups[0].Data(), &u)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Upcall{Reason: ReasonMiss, InPort: inPort}); u != want {
			t.Errorf("%s: %+v, want %+v", tc.name, u, want)
		}
		if diff := cmp.Diff(fmt.Sprintf("%x", tc.frame), fmt.Sprintf("%x", ups[0].Data()[off:])); diff != "" {
			t.Errorf("%s: frame changed:\n%s", tc.name, diff)
		}
		o := ups[0].Offload
		if tc.o.Flags&1 != 0 && (o.Flags&1 == 0 || int(o.CsumStart)-off != int(tc.o.CsumStart) || o.CsumOff != tc.o.CsumOff || o.GSOSize != tc.o.GSOSize || o.GSOType != tc.o.GSOType) {
			t.Errorf("%s: offload %+v with %d before the frame, want %+v", tc.name, o, off, tc.o)
		}
	}
	if c := n.set.Counters(); c.Misses != 5 || c.Lost != 0 {
		t.Errorf("counters are %+v, want 5 misses", c)
	}
}

// The host's own packets on an upcall device go nowhere.
func TestUpcallDeviceIsOurs(t *testing.T) {
	n := newTapnet(t, Config{})
	if err := lab.IP("addr add 10.9.9.1/24 dev upcall", "neigh add 10.9.9.2 lladdr 02:00:00:00:00:09 dev upcall"); err != nil {
		t.Fatal(err)
	}
	if err := ping("10.9.9.2"); err != nil {
		t.Fatal(err)
	}
	if ups := n.drain(n.up); len(ups) != 0 {
		t.Errorf("%d packets came up, the first %x", len(ups), ups[0].Data())
	}
}

// A Userspace action gets a copy as the packet is then; the others go on.
func TestUserspaceActionGetsCopy(t *testing.T) {
	n := newTapnet(t, Config{})
	frame, k := udp(t, 0x0a000001, 0x0a000002)
	n.install(t, &k, l2Mask(), "2,set(eth(src=02:00:00:00:00:77)),userspace(pid=0,slow_path(cfm)),push_vlan(vid=9,pcp=0),userspace(pid=0,slow_path(bfd)),3")
	n.send(t, frame, netdev.Offload{})
	ups := n.drain(n.up)
	if len(ups) != 2 {
		t.Fatalf("%d upcalls, want 2", len(ups))
	}
	for i, p := range ups {
		var u Upcall
		off, err := ParseUpcall(p.Data(), &u)
		if err != nil || u.Reason != ReasonAction || u.Arg != uint32(i) {
			t.Fatalf("upcall %d is %+v: %v", i, u, err)
		}
		if list, ok := n.set.Code(u.Code); !ok || len(list) != 6 {
			t.Errorf("upcall names list %d of %d actions", u.Code, len(list))
		}
		f := p.Data()[off:]
		if f[11] != 0x77 || (packet.Be16(f[12:]) == packet.EtherTypeVLAN) != (i == 1) {
			t.Errorf("upcall %d has frame %x", i, f)
		}
	}
	if a, b := n.drain(n.out[outPort]), n.drain(n.out[altPort]); len(a) != 1 || len(b) != 1 || a[0].Data()[11] != 1 || packet.Be16(b[0].Data()[12:]) != packet.EtherTypeVLAN {
		t.Errorf("outputs are %d and %d packets", len(a), len(b))
	}
}

// Two hundred outputs reach their ports.
func TestFlood(t *testing.T) {
	n := newTapnet(t, Config{})
	frame, k := udp(t, 1, 2)
	list := ""
	port := view[Port](n.set.ports, n.set.cfg.MaxPorts)[outPort]
	for i := range 200 {
		n.port(t, datapath.PortNo(100+i), port)
		list += fmt.Sprintf("%d,", 100+i)
	}
	n.install(t, &k, l2Mask(), list+"9,3") // 9 isn't there
	n.send(t, frame, netdev.Offload{})
	if a, b := len(n.drain(n.out[outPort])), len(n.drain(n.out[altPort])); a != 200 || b != 1 {
		t.Errorf("%d and %d packets went out, want 200 and 1", a, b)
	}
	if c := n.set.Counters(); c.NoPort != 1 {
		t.Errorf("%d outputs without port, want 1", c.NoPort)
	}
}

// A port takes no packet that is longer than its frames may be, alone or as one of
// many outputs; super-packets it does take.
func TestLongPackets(t *testing.T) {
	for _, list := range []string{"2", "2,set(eth(dst=02:00:00:00:00:55)),2"} {
		n := newTapnet(t, Config{})
		frame, k := udp(t, 1, 2)
		port := view[Port](n.set.ports, n.set.cfg.MaxPorts)[outPort]
		n.install(t, &k, l2Mask(), list)
		for _, c := range []struct {
			max  int
			want bool
		}{{0, true}, {len(frame), true}, {len(frame) - 1, false}} {
			before := n.set.PortDrops(outPort).TooLong
			port.MaxLen = uint32(c.max)
			n.port(t, outPort, port)
			n.send(t, frame, netdev.Offload{})
			out, refused := len(n.drain(n.out[outPort])), n.set.PortDrops(outPort).TooLong-before
			if (out > 0) != c.want || (refused == 0) != c.want {
				t.Errorf("%s, at most %d bytes: %d of %d bytes went out, %d refused", list, c.max, out, len(frame), refused)
			}
		}
		n.set.ClearPort(outPort)
		if d := n.set.PortDrops(outPort); d != (PortDrops{}) {
			t.Errorf("a port that begins anew has dropped %+v", d)
		}
	}
}

// What is sent to a device that is said to be down is counted, whatever its length,
// and gets there all the same if the device has come up meanwhile.
func TestPortDown(t *testing.T) {
	for _, list := range []string{"2", "2,set(eth(dst=02:00:00:00:00:55)),2"} {
		n := newTapnet(t, Config{})
		frame, k := udp(t, 1, 2)
		port := view[Port](n.set.ports, n.set.cfg.MaxPorts)[outPort]
		port.Flags |= PortDown
		port.MaxLen = 1
		n.port(t, outPort, port)
		n.install(t, &k, l2Mask(), list)
		n.send(t, frame, netdev.Offload{})
		outputs := 1 + strings.Count(list, ",2")
		if d := n.set.PortDrops(outPort); d != (PortDrops{Down: uint64(outputs)}) {
			t.Errorf("%s: %+v for %d outputs", list, d, outputs)
		}
		if out := len(n.drain(n.out[outPort])); out != outputs {
			t.Errorf("%s: %d packets of %d reach a device that is up", list, out, outputs)
		}
	}
}

// A packet that goes round has its flows counted each time.
func TestRecirculation(t *testing.T) {
	n := newTapnet(t, Config{})
	frame, k := udp(t, 1, 2)
	first := n.install(t, &k, l2Mask(), "set(eth(dst=02:00:00:00:00:55)),recirc(5)")
	k2 := k
	k2.RecircID = 5
	k2.EthDst[5] = 0x55
	second := n.install(t, &k2, l2Mask(), "2")
	n.send(t, frame, netdev.Offload{})
	if out := n.drain(n.out[outPort]); len(out) != 1 || out[0].Data()[5] != 0x55 {
		t.Errorf("%d packets went out", len(out))
	}
	for _, r := range []Ref{first, second} {
		if s := n.set.Stats(r); s.Packets != 1 {
			t.Errorf("statistics %+v, want a packet", s)
		}
	}
	// In a circle it ends somewhere, and not in a crash.
	n.set.Delete(second)
	n.install(t, &k2, l2Mask(), "recirc(5)")
	before := n.set.Counters()
	n.send(t, frame, netdev.Offload{})
	if after := n.set.Counters(); after.Lost != before.Lost+1 {
		t.Errorf("counters are %+v, want one lost", after)
	}
}

// A meter lets its burst pass and drops what follows.
func TestMeter(t *testing.T) {
	n := newTapnet(t, Config{})
	frame, k := udp(t, 1, 2)
	if err := n.set.SetMeter(3, datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 1, Burst: 7}, {Rate: 2, Burst: 20}}}); err != nil {
		t.Fatal(err)
	}
	n.install(t, &k, l2Mask(), "meter(3),2")
	for range 30 {
		n.send(t, frame, netdev.Offload{})
	}
	got, err := n.set.MeterStats(3)
	if err != nil {
		t.Fatal(err)
	}
	size := uint64(len(frame))
	want := datapath.MeterStats{In: datapath.MeterCount{Packets: 30, Bytes: 30 * size},
		Bands: []datapath.MeterCount{{Packets: 13, Bytes: 13 * size}, {Packets: 10, Bytes: 10 * size}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out := n.drain(n.out[outPort]); len(out) != 7 {
		t.Errorf("%d packets passed, want 7", len(out))
	}
	if err := n.set.DelMeter(3); err != nil {
		t.Error(err)
	}
	if err := n.set.DelMeter(3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second removal says %v", err)
	}
	n.send(t, frame, netdev.Offload{})
	if out := n.drain(n.out[outPort]); len(out) != 1 {
		t.Error("without the meter packets don't pass")
	}
}

// Programs and user space take packets out of the same buckets, and count alike.
func TestMeterIsShared(t *testing.T) {
	n := newTapnet(t, Config{})
	frame, k := udp(t, 1, 2)
	if err := n.set.SetMeter(3, datapath.MeterConfig{Packets: true, Bands: []datapath.MeterBand{{Rate: 1, Burst: 7}, {Rate: 2, Burst: 20}}}); err != nil {
		t.Fatal(err)
	}
	n.install(t, &k, l2Mask(), "meter(3),2")
	passed := 0
	for range 15 {
		n.send(t, frame, netdev.Offload{})
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			t.Fatal(err)
		}
		if n.set.PassMeter(3, uint64(now.Nano()), len(frame)) {
			passed++
		}
	}
	if out := n.drain(n.out[outPort]); len(out)+passed != 7 || passed == 0 || len(out) == 0 {
		t.Errorf("%d packets passed in the kernel and %d in user space, want 7 altogether", len(out), passed)
	}
	got, err := n.set.MeterStats(3)
	if err != nil {
		t.Fatal(err)
	}
	size := uint64(len(frame))
	want := datapath.MeterStats{In: datapath.MeterCount{Packets: 30, Bytes: 30 * size},
		Bands: []datapath.MeterCount{{Packets: 13, Bytes: 13 * size}, {Packets: 10, Bytes: 10 * size}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n.set.PassMeter(4, 1, 1) != true {
		t.Error("a meter that isn't there stops packets")
	}
}

// Output to a VXLAN device carries the tunnel's metadata, and what comes in
// through it is matched by them.
func TestVXLAN(t *testing.T) {
	n := newTapnet(t, Config{})
	err := lab.IP(
		"link add vx0 type vxlan external dstport 4789",
		"link set dev vx0 up",
		"addr add 10.1.1.1/24 dev out",
		"neigh add 10.1.1.2 lladdr 02:00:00:00:00:02 dev out",
	)
	if err != nil {
		t.Skip("this kernel has no VXLAN:", err)
	}
	idx, err := ifindex("vx0")
	if err != nil {
		t.Fatal(err)
	}
	n.port(t, 8, Port{Ifindex: uint32(idx), Upcall: view[Port](n.set.ports, 2)[inPort].Upcall, Flags: PortTunnel})
	entry, err := n.set.Entry(8, Ingress, PortTunnel)
	if err != nil {
		t.Fatal(err)
	}
	defer entry.Close()
	l, err := link.AttachTCX(link.TCXOptions{Interface: idx, Program: entry, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	frame, k := udp(t, 0x0a000001, 0x0a000002)
	n.install(t, &k, l2Mask(), "set(tunnel(tun_id=0x1234,src=10.1.1.1,dst=10.1.1.2,tos=0x8,ttl=33,flags(df|key))),8")
	n.send(t, frame, netdev.Offload{})
	out := n.drain(n.out[outPort])
	if len(out) != 1 {
		t.Fatalf("%d packets went out; counters %+v", len(out), n.set.Counters())
	}
	outer := out[0].Data()
	var ok flow.Key
	flow.Extract(outer, &ok)
	if ok.IPSrc != 0x0a010101 || ok.IPDst != 0x0a010102 || ok.NwTTL != 33 || ok.NwTOS != 8 || ok.TpDst != 4789 || packet.Be32(outer[46:])>>8 != 0x1234 {
		t.Errorf("outer header is %s", datapath.FormatKey(&ok, nil, false, nil))
	}
	if diff := cmp.Diff(fmt.Sprintf("%x", frame), fmt.Sprintf("%x", outer[50:])); diff != "" {
		t.Errorf("inner frame:\n%s", diff)
	}

	// Back: the same datagram with the outer addresses exchanged.
	back := append([]byte{}, outer...)
	copy(back[0:6], outer[6:12])
	copy(back[6:12], outer[0:6])
	copy(back[26:30], outer[30:34])
	copy(back[30:34], outer[26:30])
	in := netdev.NewPacket(len(back))
	in.Len = len(back)
	copy(in.Data(), back)
	if _, err := n.out[outPort].Send(0, []*netdev.Packet{&in}); err != nil {
		t.Fatal(err)
	}
	ups := n.drain(n.up)
	if len(ups) != 1 {
		t.Fatalf("%d upcalls of what came through the tunnel", len(ups))
	}
	var u Upcall
	if _, err := ParseUpcall(ups[0].Data(), &u); err != nil {
		t.Fatal(err)
	}
	want := flow.Tunnel{ID: 0x1234, Src: 0x0a010102, Dst: 0x0a010101, TTL: 33, TOS: 8, Flags: flow.TunnelKey}
	got := u.Tunnel
	got.Flags &^= flow.TunnelDF
	if got != want || u.InPort != 8 {
		t.Errorf("upcall is %+v, want tunnel %+v", u, want)
	}
	// And a flow that matches the tunnel.
	tk, tm := k, *l2Mask()
	tk.InPort, tk.Tunnel = 8, u.Tunnel
	tm.Tunnel = flow.Tunnel{ID: ^uint64(0), Src: ^uint32(0), Dst: ^uint32(0), TTL: 0xff, Flags: flow.TunnelKey}
	n.install(t, &tk, &tm, "3")
	if _, err := n.out[outPort].Send(0, []*netdev.Packet{&in}); err != nil {
		t.Fatal(err)
	}
	if got := n.drain(n.out[altPort]); len(got) != 1 || fmt.Sprintf("%x", got[0].Data()) != fmt.Sprintf("%x", frame) {
		t.Errorf("%d packets went out of the tunnel's flow", len(got))
	}
}

// ping sends one datagram from the test's namespace.
func ping(addr string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(addr).As4()})
}
