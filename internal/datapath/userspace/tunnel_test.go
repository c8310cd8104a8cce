package userspace

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weir/internal/clock"
	"weir/internal/datapath"
	"weir/internal/flow"
	"weir/internal/netdev"
	"weir/internal/netdev/patch"
	"weir/internal/packet"
)

// sink is a device that keeps what it is sent.
type sink struct {
	*patch.Device
	frames [][]byte
	offs   []netdev.Offload
}

func (s *sink) Send(_ int, batch []*netdev.Packet) (int, error) {
	for _, p := range batch {
		s.frames = append(s.frames, bytes.Clone(p.Data()))
		s.offs = append(s.offs, p.Offload)
	}
	return len(batch), nil
}

func newSink(tb testing.TB, name string) *sink {
	dev, err := patch.Provider().Open(name, map[string]string{"peer": "none"})
	if err != nil {
		tb.Fatal(err)
	}
	return &sink{Device: dev.(*patch.Device)}
}

const (
	pushVXLAN  = "tnl_push(tnl_port(4),header(size=50,type=4,eth(dst=00:00:00:00:00:22,src=00:00:00:00:00:11,dl_type=0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x7)),out_port(9))"
	pushGRE    = "tnl_push(tnl_port(5),header(size=50,type=3,eth(dst=00:00:00:00:00:22,src=00:00:00:00:00:11,dl_type=0x0800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=47,tos=0,ttl=64,frag=0x4000),gre((flags=0xb000,proto=0x6558),csum=0x0,key=0x7,seq=0x0)),out_port(9))"
	pushGeneve = "tnl_push(tnl_port(6),header(size=78,type=5,eth(dst=00:00:00:00:00:22,src=00:00:00:00:00:11,dl_type=0x86dd),ipv6(src=::1,dst=::2,label=0,proto=17,tclass=0x0,hlimit=64),udp(src=0,dst=6081,csum=0xffff),geneve(crit,vni=0x7,options({class=0x102,type=0x80,len=4,0x1}))),out_port(9))"
)

// tunnels adds the ports of tunnels to a data path.
func tunnels(tb testing.TB, d *DP) {
	for no, typ := range map[datapath.PortNo]string{4: "vxlan", 5: "gre", 6: "geneve"} {
		if _, err := d.PortAdd(newSink(tb, typ+"_sys"), typ, no); err != nil {
			tb.Fatal(err)
		}
	}
}

// TestTunnelNoAllocations pins that pushing and popping outer headers makes the
// forwarding path allocate nothing.
func TestTunnelNoAllocations(t *testing.T) {
	for _, push := range []string{pushVXLAN, pushGRE, pushGeneve} {
		for _, actions := range []string{push + ",2", "clone(" + push + ",2),3", push + ",tnl_pop(4)", push + ",tnl_pop(5)", push + ",tnl_pop(6)"} {
			w, p := rig(t, 1000, []string{anyIP}, actions)
			tunnels(t, w.dp)
			out, err := datapath.ParseActions("2", nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, port := range []string{"4", "5", "6"} {
				k, m, err := datapath.ParseKey("tunnel(tun_id=0x7,flags(+key)),recirc_id(0),in_port("+port+"),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.dp.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: out}, datapath.PutCreate); err != nil {
					t.Fatal(err)
				}
			}
			w.dp.SetUpcallHandler(discard{})
			w.poll(p, 0)
			if n := testing.AllocsPerRun(50, func() { w.poll(p, 0) }); n != 0 {
				t.Errorf("%s: %v allocations per batch of %d packets", actions, n, batchSize)
			}
		}
	}
}

// superPacket is a frame of TCP that its sender left to be cut and summed.
func superPacket(t *testing.T, payload int) netdev.Packet {
	t.Helper()
	k, _, err := datapath.ParseKey("eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=5,dst=6)", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, payload)
	for i := range b {
		b[i] = byte(i)
	}
	pkt := netdev.PacketOf(flow.Compose(k, b))
	f := pkt.Data()
	packet.PutBe16(f[50:], ^packet.Fold(packet.PseudoIPv4(0x0a000001, 0x0a000002, packet.ProtoTCP, len(f)-34)))
	pkt.Offload = netdev.Offload{Flags: netdev.NeedsCsum, CsumStart: 34, CsumOff: 16, GSOType: 1, GSOSize: 1400, HdrLen: 54}
	return pkt
}

// A super-packet goes through a tunnel as packets, each with outer headers of its
// own and right checksums, and its bytes arrive whole.
func TestPushSuperPacket(t *testing.T) {
	for _, push := range []string{pushVXLAN, pushGRE, pushGeneve} {
		d, err := New(Config{Type: "dummy", Synchronous: true, Clock: clock.New()})
		if err != nil {
			t.Fatal(err)
		}
		s := newSink(t, "s")
		if _, err := d.PortAdd(s, "dummy", 2); err != nil {
			t.Fatal(err)
		}
		pkt := superPacket(t, 4000)
		actions, err := datapath.ParseActions(push+",set(eth(src=00:00:00:00:00:33)),2", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Execute(&pkt, &flow.Key{InPort: 1}, actions); err != nil {
			t.Fatal(err)
		}
		if len(s.frames) != 3 {
			t.Fatalf("%s: %d frames, want 3", push, len(s.frames))
		}
		at := 0
		for i, f := range s.frames {
			if s.offs[i] != (netdev.Offload{}) || packet.Ethernet(f).Src() != (packet.MAC{5: 0x33}) {
				t.Errorf("%s: frame %d is %x with %+v", push, i, f, s.offs[i])
			}
			h := actions[0].(*datapath.TunnelPush).Header
			var k, in flow.Key
			offs := flow.ExtractOffsets(f, &k)
			got, err := h.Kind.Pop(f, &offs, false, &k.Tunnel)
			if err != nil {
				t.Fatalf("%s: %v", push, err)
			}
			inner := f[got.Len:]
			io := flow.ExtractOffsets(inner, &in)
			tcp := inner[io.L4:io.Len]
			if packet.Fold(packet.Sum(tcp, packet.PseudoIPv4(in.IPSrc, in.IPDst, packet.ProtoTCP, len(tcp)))) != 0 {
				t.Errorf("%s: the inner checksum of frame %d is wrong", push, i)
			}
			for _, b := range inner[io.L7:io.Len] {
				if b != byte(at) {
					t.Fatalf("%s: byte %d of the stream is %d", push, at, b)
				}
				at++
			}
		}
		if at != 4000 {
			t.Errorf("%s: %d bytes arrived", push, at)
		}
	}
}

// Headers that don't fit before the packet, again and again, cost no more memory
// than once.
func TestPushWithoutRoom(t *testing.T) {
	w, _ := rig(t, 1, nil, "2")
	actions, err := datapath.ParseActions(pushGeneve+","+pushGeneve+","+pushGeneve+",2", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pkt := superPacket(t, 100)
		pkt.Offload = netdev.Offload{}
		w.keys[0] = flow.Key{InPort: 1}
		w.sts[0] = state{pkt: &pkt, key: &w.keys[0], stale: true}
		w.execute(&w.sts[0], newProgram(actions))
		w.flush()
		if len(pkt.Buf) > 4*netdev.MaxFrame/100 && cap(pkt.Buf) > netdev.Headroom+1000 {
			t.Errorf("the packet's own buffer has grown to %d bytes", cap(pkt.Buf))
		}
	}
}

// A checksum that a device is to complete in the inner packet is left to be
// completed behind the outer headers that were taken off.
func TestPopPartialChecksum(t *testing.T) {
	d, err := New(Config{Type: "dummy", Synchronous: true, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	s := newSink(t, "s")
	if _, err := d.PortAdd(s, "dummy", 2); err != nil {
		t.Fatal(err)
	}
	tunnels(t, d)
	k, m, err := datapath.ParseKey("recirc_id(0),in_port(4),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)", nil)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := datapath.ParseActions("2", nil)
	if err := d.FlowPut(&datapath.Flow{Key: *k, Mask: *m, Actions: out}, datapath.PutCreate); err != nil {
		t.Fatal(err)
	}
	d.SetUpcallHandler(discard{})
	push, err := datapath.ParseActions(pushVXLAN, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := push[0].(*datapath.TunnelPush).Header
	in := superPacket(t, 4000)
	frame := append(bytes.Clone(h.Bytes), in.Data()...)
	h.Finish(frame, 1, 1)
	pkt := netdev.PacketOf(frame)
	pkt.Offload = in.Offload
	pkt.Offload.CsumStart += 50
	pkt.Offload.HdrLen += 50
	pop, _ := datapath.ParseActions("tnl_pop(4)", nil)
	if err := d.Execute(&pkt, &flow.Key{InPort: 1}, pop); err != nil {
		t.Fatal(err)
	}
	if len(s.frames) != 1 || !bytes.Equal(s.frames[0], in.Data()) || s.offs[0] != in.Offload {
		t.Errorf("%d frames, offload %+v, want that of the inner packet, %+v", len(s.frames), s.offs, in.Offload)
	}
}

// BenchmarkTunnel is the cost of pushing and popping, as BenchmarkForward's.
func BenchmarkTunnel(b *testing.B) {
	for name, actions := range map[string]string{"push": pushVXLAN + ",2", "pushpop": pushVXLAN + ",tnl_pop(4)"} {
		b.Run(name, func(b *testing.B) {
			w, p := rig(b, 1000, []string{anyIP}, actions)
			tunnels(b, w.dp)
			w.dp.SetUpcallHandler(discard{})
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batchSize {
				w.poll(p, 0)
			}
		})
	}
}

// Options of Geneve are matched as far as a flow looks at them, by packets of
// other tunnels too, and a key that had some leaves none behind.
func TestGeneveOptions(t *testing.T) {
	d, err := New(Config{Type: "dummy", Synchronous: true, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	outs := map[datapath.PortNo]*sink{}
	for _, no := range []datapath.PortNo{2, 3, 8} {
		outs[no] = newSink(t, fmt.Sprint("s", no))
		if _, err := d.PortAdd(outs[no], "dummy", no); err != nil {
			t.Fatal(err)
		}
	}
	tunnels(t, d)
	const tunnel = "recirc_id(0),tunnel(tun_id=0x7,%s),in_port(6),packet_type(ns=0,id=0)"
	flows := map[string]string{
		fmt.Sprintf(tunnel, "geneve({class=0x102,type=0x80,len=4,0x1/0xf})"): "2",
		fmt.Sprintf(tunnel, "geneve({class=0x102,type=0x80,len=4,0x2/0xf})"): "3",
		"recirc_id(0),in_port(4),packet_type(ns=0,id=0)":                     "8",
	}
	for key, out := range flows {
		k, m, err := datapath.ParseKey(key, nil)
		if err != nil {
			t.Fatal(key, err)
		}
		actions, _ := datapath.ParseActions(out, nil)
		f := &datapath.Flow{Key: *k, Mask: *m, Actions: actions}
		if err := d.FlowPut(f, datapath.PutCreate); err != nil {
			t.Fatal(key, err)
		}
		got, err := d.FlowGet(datapath.UFID{}, k)
		if err != nil {
			t.Fatal(key, err)
		}
		if want := datapath.FormatKey(k, m, false, nil); datapath.FormatKey(&got.Key, &got.Mask, false, nil) != want {
			t.Errorf("%s came back as %s", want, datapath.FormatKey(&got.Key, &got.Mask, false, nil))
		}
	}
	d.SetUpcallHandler(discard{})
	send := func(actions string) {
		t.Helper()
		list, err := datapath.ParseActions(actions, nil)
		if err != nil {
			t.Fatal(err)
		}
		pkt := superPacket(t, 100)
		pkt.Offload = netdev.Offload{}
		if err := d.Execute(&pkt, &flow.Key{InPort: 1}, list); err != nil {
			t.Fatal(err)
		}
	}
	send(pushGeneve + ",tnl_pop(6)")
	send(strings.Replace(pushGeneve, "len=4,0x1", "len=4,0x32", 1) + ",tnl_pop(6)")
	send(strings.Replace(pushGeneve, "len=4,0x1", "len=4,0x4", 1) + ",tnl_pop(6)") // matches no flow
	send(pushVXLAN + ",tnl_pop(4)")
	for no, s := range outs {
		if len(s.frames) != 1 {
			t.Errorf("port %d got %d packets", no, len(s.frames))
		}
	}
}
