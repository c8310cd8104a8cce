package netdev

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/flow"
	"weir/internal/packet"
)

// superPacket composes a TCP or UDP packet whose checksum is partial, to be cut
// into segments of size bytes of payload (0: not at all).
func superPacket(v6, udp, tagged bool, payload []byte, size int) (p Packet, l3, l4 int) {
	k := flow.Key{EthSrc: packet.MAC{2, 0, 0, 0, 0, 1}, EthDst: packet.MAC{2, 0, 0, 0, 0, 2}, EthType: packet.EtherTypeIPv4,
		IPSrc: 0x0a000001, IPDst: 0x0a000002, NwTTL: 64, TpSrc: 1000, TpDst: 2000, NwProto: packet.ProtoTCP, TCPFlags: 0x98}
	o := Offload{Flags: NeedsCsum, GSOType: gsoTCPv4 | gsoECN, CsumOff: 16}
	l3 = packet.EthLen
	l4 = l3 + 20
	if v6 {
		k.EthType, k.IPSrc, k.IPDst = packet.EtherTypeIPv6, 0, 0
		k.IPv6Src, k.IPv6Dst = [16]byte{15: 1}, [16]byte{15: 2}
		l4, o.GSOType = l3+40, gsoTCPv6|gsoECN
	}
	if udp {
		k.NwProto, k.TCPFlags, o.GSOType, o.CsumOff = packet.ProtoUDP, 0, GSOUDP, 6
	}
	if tagged {
		k.VLANs[0] = flow.VLAN{TPID: packet.EtherTypeVLAN, TCI: 7 | flow.VLANPresent}
		l3, l4 = l3+packet.VLANLen, l4+packet.VLANLen
	}
	frame := flow.Compose(&k, payload)
	p = PacketOf(frame)
	o.CsumStart, o.GSOSize = uint16(l4), uint16(size)
	if size == 0 {
		o.GSOType = 0
	}
	p.Offload = o
	b := p.Data()
	packet.PutBe16(b[l4+int(o.CsumOff):], ^packet.Fold(pseudoOf(b[l3:], v6, k.NwProto, len(b)-l4)))
	return p, l3, l4
}

func pseudoOf(ip []byte, v6 bool, proto uint8, n int) uint64 {
	if v6 {
		return packet.PseudoIPv6(ip[8:24], ip[24:40], proto, n)
	}
	return packet.PseudoIPv4(packet.Be32(ip[12:]), packet.Be32(ip[16:]), proto, n)
}

// What comes out of a super-packet are sound packets, with its payload in order.
func TestSegmenter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6, udp, tagged := rapid.Bool().Draw(t, "v6"), rapid.Bool().Draw(t, "udp"), rapid.Bool().Draw(t, "tagged")
		payload := rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "payload")
		size := rapid.SampledFrom([]int{0, 1, 99, 100, 1448}).Draw(t, "size")
		p, l3, l4 := superPacket(v6, udp, tagged, payload, size)
		whole := bytes.Clone(p.Data())
		var s Segmenter
		if err := s.Start(&p); err != nil {
			t.Fatal(err)
		}
		proto, hdr := uint8(packet.ProtoTCP), 20
		if udp {
			proto, hdr = packet.ProtoUDP, 8
		}
		var got []byte
		head := make([]byte, MaxHeaders)
		for i := 0; ; i++ {
			n, rest, ok := s.Next(head)
			if !ok {
				break
			}
			f := append(bytes.Clone(head[:n]), rest...)
			ip := f[l3:]
			if !v6 && packet.Checksum(ip[:20]) != 0 {
				t.Fatal("the IPv4 header's checksum is wrong")
			}
			if !v6 && int(packet.Be16(ip[2:])) != len(ip) || v6 && int(packet.Be16(ip[4:])) != len(ip)-40 {
				t.Fatal("the length of the IP header is wrong")
			}
			if c := packet.Fold(packet.Sum(f[l4:], pseudoOf(ip, v6, proto, len(f)-l4))); c != 0 {
				t.Fatalf("segment %d: the checksum is wrong by %#x", i, c)
			}
			if !udp && packet.Be32(f[l4+4:]) != packet.Be32(whole[l4+4:])+uint32(len(got)) {
				t.Fatal("the sequence number is wrong")
			}
			got = append(got, f[l4+hdr:]...)
			last := len(got) >= len(payload)
			if !udp && size != 0 && (f[l4+13]&0x08 != 0) != last {
				t.Fatalf("PSH of segment %d", i)
			}
			if !udp && size != 0 && (f[l4+13]&0x80 != 0) != (i == 0) {
				t.Fatalf("CWR of segment %d", i)
			}
		}
		if !bytes.Equal(got, whole[l4+hdr:]) {
			t.Fatalf("%d bytes of payload came out of %d", len(got), len(whole)-l4-hdr)
		}
	})
}

// A super-packet is cut behind labels, and behind NSH, too: the packets are those
// that it would have been cut into before these were pushed.
func TestSegmenterBehindLabels(t *testing.T) {
	label := []byte{0x00, 0x04, 0xd0, 0x40, 0x00, 0x04, 0xd1, 0x40} // two entries
	nsh := append([]byte{0x0f, 0xc6, 1, 0, 0, 0x12, 0x34, 0xff}, make([]byte, 16)...)
	for _, v6 := range []bool{false, true} {
		nsh[3] = 1 // next protocol IPv4
		if v6 {
			nsh[3] = 2
		}
		inEthernet := bytes.Clone(nsh)
		inEthernet[3] = 3
		for _, push := range []struct {
			typ    uint16
			header []byte
			whole  bool // the frame is inside, and not the packet only
		}{{packet.EtherTypeMPLS, label, false}, {packet.EtherTypeMPLSM, label, false}, {packet.EtherTypeNSH, nsh, false}, {packet.EtherTypeNSH, inEthernet, true}} {
			plain, l3, _ := superPacket(v6, false, false, make([]byte, 3000), 1000)
			outer := append(bytes.Clone(plain.Data()[:12]), byte(push.typ>>8), byte(push.typ))
			outer = append(outer, push.header...)
			inside := plain.Data()[l3:]
			if push.whole {
				inside = plain.Data()
			}
			pushed := PacketOf(append(bytes.Clone(outer), inside...))
			pushed.Offload = plain.Offload
			pushed.Offload.CsumStart += uint16(pushed.Len - plain.Len)
			want, got := cutAll(t, &plain), cutAll(t, &pushed)
			if len(got) != 3 || len(want) != 3 {
				t.Fatalf("%x: %d and %d packets, want 3", push.typ, len(got), len(want))
			}
			for i := range got {
				w := want[i][l3:]
				if push.whole {
					w = want[i]
				}
				if !bytes.Equal(got[i], append(bytes.Clone(outer), w...)) {
					t.Errorf("%x, packet %d is not as it was without the header:\n%x\n%x", push.typ, i, got[i][:100], want[i][:100])
				}
			}
		}
	}
}

func cutAll(t *testing.T, p *Packet) (all [][]byte) {
	t.Helper()
	var s Segmenter
	if err := s.Start(p); err != nil {
		t.Fatal(err)
	}
	for head := make([]byte, MaxHeaders); ; {
		n, rest, ok := s.Next(head)
		if !ok {
			return all
		}
		all = append(all, append(bytes.Clone(head[:n]), rest...))
	}
}

// What can't be segmented is told.
func TestSegmenterRefuses(t *testing.T) {
	for i, break1 := range []func(*Packet){
		func(p *Packet) { p.Offload.Flags = 0 },
		func(p *Packet) { p.Offload.GSOType = 77 },
		func(p *Packet) { p.Offload.CsumStart = 60000 },
		func(p *Packet) { p.Offload.GSOSize = 0 },
		func(p *Packet) { p.Len = 20 },
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p, _, _ := superPacket(false, false, false, make([]byte, 3000), 1000)
			break1(&p)
			var s Segmenter
			if err := s.Start(&p); err == nil {
				t.Error("it starts")
			}
		})
	}
}

// A partial checksum is found in every kind of packet, and none in a packet
// whose checksum is complete.
func TestFindPartial(t *testing.T) {
	for i := range 8 {
		p, _, l4 := superPacket(i&1 != 0, i&2 != 0, i&4 != 0, []byte("payload"), 0)
		want := p.Offload
		p.Offload = Offload{}
		if FindPartial(&p); p.Offload != want {
			t.Errorf("%d: found %+v, want %+v", i, p.Offload, want)
		}
		var s Segmenter
		if err := s.Start(&p); err != nil {
			t.Fatal(err)
		}
		head := make([]byte, MaxHeaders)
		n, rest, _ := s.Next(head)
		q := PacketOf(append(head[:n], rest...))
		if FindPartial(&q); q.Offload != (Offload{}) {
			t.Errorf("%d: complete, but %+v was found", i, q.Offload)
		}
		for n := range p.Len { // whatever is cut off: no panic, and nothing found
			q := PacketOf(p.Data()[:n])
			if FindPartial(&q); q.Offload != (Offload{}) {
				t.Errorf("%d: cut to %d of %d bytes (header at %d), %+v was found", i, n, p.Len, l4, q.Offload)
			}
		}
	}
}

// A super-packet of TCP that came out of a datagram is segmented, one of UDP
// can't be.
func TestFindSuperPacket(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		p, _, _ := superPacket(v6, false, false, make([]byte, 5000), 0)
		p.Offload = Offload{}
		FindPartial(&p)
		var s Segmenter
		if err := s.Start(&p); err != nil {
			t.Fatal(err)
		}
		head := make([]byte, MaxHeaders)
		count := 0
		for {
			n, rest, ok := s.Next(head)
			if !ok {
				break
			}
			if count++; n+len(rest) > usualMTU+packet.EthLen {
				t.Errorf("a segment of %d bytes", n+len(rest))
			}
		}
		if count != 4 {
			t.Errorf("%d segments of 5,000 bytes, want 4", count)
		}
	}
}
