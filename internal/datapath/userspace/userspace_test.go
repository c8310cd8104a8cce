package userspace_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"
	"weir/internal/flow"
	"weir/internal/packet"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/datapath/dptest"
	"weir/internal/datapath/userspace"
	"weir/internal/netdev"
	"weir/internal/netdev/dummy"
)

// wire is a dummy device whose sent frames are kept.
type wire struct {
	*dummy.Device
	mu       sync.Mutex
	sent     []netdev.Packet
	offloads []netdev.Offload // of the packets that are to be received
}

// receive lets a packet come in.
func (w *wire) receive(pkt *netdev.Packet) {
	w.mu.Lock()
	w.offloads = append(w.offloads, pkt.Offload)
	w.mu.Unlock()
	w.Inject(0, slices.Clone(pkt.Data()))
}

func (w *wire) Recv(q int, batch []netdev.Packet) (int, error) {
	n, err := w.Device.Recv(q, batch)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range min(n, len(w.offloads)) {
		batch[i].Offload = w.offloads[i]
	}
	w.offloads = w.offloads[min(n, len(w.offloads)):]
	return n, err
}

func (w *wire) Send(_ int, batch []*netdev.Packet) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range batch {
		c := *p
		c.Buf = slices.Clone(p.Buf) // the buffer is the data path's
		w.sent = append(w.sent, c)
	}
	return len(batch), nil
}

func (w *wire) take() []netdev.Packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.sent
	w.sent = nil
	return out
}

func newWire(t *testing.T, set *dummy.Set, name string) *wire {
	dev, err := set.Provider("dummy").Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Close() })
	return &wire{Device: dev.(*dummy.Device)}
}

func newDP(t testing.TB, cfg userspace.Config) *userspace.DP {
	cfg.Clock = clock.New()
	dp, err := userspace.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dp.Start()
	t.Cleanup(func() { _ = dp.Close() })
	return dp
}

func harness(cfg userspace.Config) dptest.Factory {
	return func(t *testing.T) *dptest.Harness {
		dp := newDP(t, cfg)
		injected := uint64(0)
		set := dummy.NewSet(clock.New())
		wires := map[datapath.PortNo]*wire{}
		return &dptest.Harness{
			DP: dp,
			AddPort: func(t *testing.T, name string) datapath.PortNo {
				w := newWire(t, set, name)
				no, err := dp.PortAdd(w, "dummy", datapath.PortNone)
				if err != nil {
					t.Fatal(err)
				}
				wires[no] = w
				return no
			},
			Receive: func(t *testing.T, no datapath.PortNo, pkt *netdev.Packet) {
				wires[no].receive(pkt)
				injected++
				await(t, dp, injected)
			},
			Transmitted: func(_ *testing.T, no datapath.PortNo, _ int) []netdev.Packet { return wires[no].take() },
		}
	}
}

// await waits until the data path has processed n packets.
func await(t *testing.T, dp *userspace.DP, n uint64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Microsecond) {
		var got uint64
		for _, s := range dp.WorkerStats() {
			got += s.Received
		}
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets processed, want %d", got, n)
		}
	}
}

func TestSynchronous(t *testing.T) {
	dptest.Run(t, harness(userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true}))
}

func TestWorkers(t *testing.T) {
	dptest.Run(t, harness(userspace.Config{Type: "netdev", Name: "ovs-netdev", Workers: 2}))
}

func TestPortNumbers(t *testing.T) {
	dp := newDP(t, userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true})
	set := dummy.NewSet(clock.New())
	for _, tc := range []struct {
		name string
		want datapath.PortNo
	}{{"br0", 100}, {"br7", 107}, {"p1", 1}, {"eth33x4", 33}, {"q1", 2}, {"nodigit", 3}, {"p99999999", 4}} {
		no, err := dp.PortAdd(newWire(t, set, tc.name), "dummy", datapath.PortNone)
		if err != nil || no != tc.want {
			t.Errorf("%s has number %d (%v), want %d", tc.name, no, err, tc.want)
		}
	}
}

// TestOffloadKept checks that a super-packet with a partial checksum leaves as
// it came, its offsets moved where a tag was pushed.
func TestOffloadKept(t *testing.T) {
	dp := newDP(t, userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true})
	set := dummy.NewSet(clock.New())
	out := newWire(t, set, "p1")
	if _, err := dp.PortAdd(out, "dummy", datapath.PortNone); err != nil {
		t.Fatal(err)
	}
	pkt := netdev.NewPacket(4000)
	pkt.Len = 4000
	off := netdev.Offload{Flags: 1, GSOType: 1, HdrLen: 54, GSOSize: 1448, CsumStart: 34, CsumOff: 16}
	pkt.Offload = off
	k, _, err := datapath.ParseKey("eth(),eth_type(0x0800),ipv4(proto=6)", nil)
	if err != nil {
		t.Fatal(err)
	}
	actions, err := datapath.ParseActions("1,push_vlan(vid=5,pcp=0),1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := dp.Execute(&pkt, k, actions); err != nil {
		t.Fatal(err)
	}
	moved := off
	moved.HdrLen, moved.CsumStart = 58, 38
	if len(out.sent) != 2 || out.sent[0].Offload != off || out.sent[1].Offload != moved {
		t.Errorf("offloads are %+v, want %+v and %+v", out.sent, off, moved)
	}
}

// A set of nd_ext changes the reserved bits and the option's type, and keeps the
// checksum right.
func TestSetNDExt(t *testing.T) {
	dp := newDP(t, userspace.Config{Type: "dummy", Name: "ovs-dummy", Synchronous: true})
	out := newWire(t, dummy.NewSet(clock.New()), "p1")
	if _, err := dp.PortAdd(out, "dummy", datapath.PortNone); err != nil {
		t.Fatal(err)
	}
	m, err := flow.ParseMatch("icmp6,icmpv6_type=136,icmpv6_code=0,ipv6_src=fe80::1,ipv6_dst=fe80::2,nw_ttl=255,nd_target=fe80::3,nd_tll=00:11:22:33:44:55", nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := flow.Compose(&m.Key, nil)
	pkt := netdev.NewPacket(len(frame))
	pkt.Len = len(frame)
	copy(pkt.Data(), frame)
	var k flow.Key
	flow.Extract(frame, &k)
	actions, err := datapath.ParseActions("set(nd_ext(nd_reserved=0x60000001,nd_options_type=1)),1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := dp.Execute(&pkt, &k, actions); err != nil {
		t.Fatal(err)
	}
	if len(out.sent) != 1 {
		t.Fatalf("%d packets were sent", len(out.sent))
	}
	got := out.sent[0].Data()
	const icmp = packet.EthLen + packet.IPv6Len
	if packet.Be32(got[icmp+4:]) != 0x60000001 || got[icmp+24] != 1 {
		t.Errorf("reserved bits %x, option %d", got[icmp+4:icmp+8], got[icmp+24])
	}
	// Both changes undone, the frame is what it was if the checksum followed.
	flow.Extract(got, &k)
	undo, err := datapath.ParseActions("set(nd_ext(nd_reserved=0x0,nd_options_type=2)),1", nil)
	if err != nil {
		t.Fatal(err)
	}
	back := netdev.NewPacket(len(got))
	back.Len = len(got)
	copy(back.Data(), got)
	if err := dp.Execute(&back, &k, undo); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.sent[1].Data(), frame) {
		t.Errorf("undone, the frame is\n%x, was\n%x", out.sent[1].Data(), frame)
	}
	if packet.Be16(got[icmp+2:]) == packet.Be16(frame[icmp+2:]) {
		t.Error("the checksum stayed")
	}
}
