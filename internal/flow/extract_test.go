package flow

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"weir/internal/packet"
)

// Frames as the peer composes them.
func TestComposeBytes(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"tcp,nw_src=1.2.3.4,nw_dst=5.6.7.8,nw_ttl=64,tp_src=1,tp_dst=2,tcp_flags=ack", "0000000000020000000000010800450000680000000040066a7d010203040506070800010002000000000000000050100000bb7a0000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"},
		{"udp,nw_src=1.2.3.4,nw_dst=5.6.7.8,nw_ttl=64,tp_src=1,tp_dst=2", "00000000000200000000000108004500005c0000000040116a7e01020304050607080001000200480b44000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"},
		{"ip,nw_proto=2,nw_src=1.2.3.4,nw_dst=5.6.7.8,nw_ttl=64", "00000000000200000000000108004500001c0000000040026acd01020304050607080000ffff00000000"},
		{"arp,arp_op=1,arp_spa=1.2.3.4,arp_tpa=1.2.3.5,arp_sha=00:00:00:00:00:01", "000000000002000000000001080600010800060400010000000000010102030400000000000001020305"},
		{"icmp6,ipv6_src=::1,ipv6_dst=::2,nw_ttl=64,icmpv6_type=135,nd_target=::1,nd_sll=00:00:00:00:00:05", "00000000000200000000000186dd6000000000203a4000000000000000000000000000000001000000000000000000000000000000028700779b00000000000000000000000000000000000000010101000000000005"},
		{"mpls,mpls_label=5,mpls_ttl=64", "0000000000020000000000018847000050400000000000000000"},
		{"tcp,nw_frag=later,nw_src=1.2.3.4,nw_dst=5.6.7.8,nw_ttl=64", "0000000000020000000000010800450000140000206440064a6d0102030405060708"},
		{"dl_type=0x5ff", "000000000002000000000001000e"},
	} {
		k, err := ParseKey("dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,"+tt.in, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, hex.EncodeToString(Compose(k, nil))); diff != "" {
			t.Errorf("%s:\n%s", tt.in, diff)
		}
	}
}

// genPacketKey draws keys that a frame can say.
func genPacketKey(t *rapid.T) Key {
	var k Key
	u8 := rapid.Uint8()
	mac := func(n string) packet.MAC { return packet.MACFromUint64(rapid.Uint64Range(1, 1<<48-1).Draw(t, n)) }
	v6 := func(n string) (a [16]byte) {
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, n))
		return a
	}
	k.EthSrc, k.EthDst = mac("src"), mac("dst")
	for i := range rapid.IntRange(0, MaxVLANs).Draw(t, "tags") {
		k.VLANs[i] = VLAN{rapid.SampledFrom([]uint16{0x8100, 0x88a8}).Draw(t, "tpid"), rapid.Uint16().Draw(t, "tci") | VLANPresent}
	}
	k.EthType = rapid.SampledFrom([]uint16{0x800, 0x86dd, 0x806, 0x8035, 0x8847, 0x1234}).Draw(t, "type")
	switch k.EthType {
	case 0x800, 0x86dd:
		k.NwTOS, k.NwTTL = u8.Draw(t, "tos"), u8.Draw(t, "ttl")
		k.NwProto = rapid.SampledFrom([]uint8{1, 6, 17, 58, 89, 132}).Draw(t, "proto")
		if k.EthType == 0x800 {
			k.IPSrc, k.IPDst = rapid.Uint32().Draw(t, "nw_src"), rapid.Uint32().Draw(t, "nw_dst")
			k.NwFrag = rapid.SampledFrom([]uint8{0, 1, 3}).Draw(t, "frag")
		} else {
			k.IPv6Src, k.IPv6Dst, k.IPv6Label = v6("src6"), v6("dst6"), rapid.Uint32Range(0, 0xfffff).Draw(t, "label")
		}
		l4 := k.NwFrag&FragLater == 0
		switch p := k.NwProto; {
		case l4 && (p == 6 || p == 17 || p == 132):
			k.TpSrc, k.TpDst = rapid.Uint16().Draw(t, "tp_src"), rapid.Uint16().Draw(t, "tp_dst")
			if p == 6 {
				k.TCPFlags = rapid.Uint16Range(0, 0xfff).Draw(t, "flags")
			}
		case l4 && p == 1 && k.EthType == 0x800:
			k.TpSrc, k.TpDst = uint16(u8.Draw(t, "itype")), uint16(u8.Draw(t, "icode"))
		case l4 && p == 58 && k.EthType == 0x86dd:
			k.TpSrc = rapid.SampledFrom([]uint16{128, 135, 136}).Draw(t, "type6")
			if k.TpSrc != 128 {
				k.NDTarget, k.NDReserved = v6("target"), rapid.Uint32().Draw(t, "rsv")
			}
			if k.TpSrc == 135 {
				k.ARPSHA, k.NDOptionsType = mac("sll"), 1
			} else if k.TpSrc == 136 {
				k.ARPTHA, k.NDOptionsType = mac("tll"), 2
			}
		}
	case 0x806, 0x8035:
		k.NwProto, k.IPSrc, k.IPDst, k.ARPSHA, k.ARPTHA = u8.Draw(t, "op"), rapid.Uint32().Draw(t, "spa"), rapid.Uint32().Draw(t, "tpa"), mac("sha"), mac("tha")
	case 0x8847:
		for i := range k.MPLS {
			k.MPLS[i] = rapid.Uint32().Draw(t, "lse")
			if k.MPLS[i]&0x100 != 0 {
				break
			}
		}
	}
	return k
}

// What Compose builds, Extract reads back, and its text says it again.
func TestComposeExtract(t *testing.T) {
	SetVLANLimit(MaxVLANs)
	defer SetVLANLimit(1)
	rapid.Check(t, func(t *rapid.T) {
		k := genPacketKey(t)
		var got Key
		Extract(Compose(&k, nil), &got)
		if got != k {
			t.Fatalf("%x\ngot  %s\nwant %s", Compose(&k, nil), &got, &k)
		}
	})
}

// gopacket agrees about the frames that it understands.
func TestExtractAgainstGopacket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := genPacketKey(t)
		frame := Compose(&k, nil)
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		eth := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		if packet.MAC(eth.SrcMAC) != k.EthSrc || packet.MAC(eth.DstMAC) != k.EthDst {
			t.Fatal("addresses differ")
		}
		if l, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
			if l.SrcIP.String() != FormatIPv4(k.IPSrc) || l.TTL != k.NwTTL || l.TOS != k.NwTOS || uint8(l.Protocol) != k.NwProto {
				t.Fatalf("IPv4 differs: %+v", l)
			}
			if packet.Checksum(l.Contents) != 0 {
				t.Fatal("bad IPv4 checksum")
			}
		}
		if l, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6); ok {
			if src, _ := netip.AddrFromSlice(l.SrcIP.To16()); src.As16() != k.IPv6Src || l.FlowLabel != k.IPv6Label || l.HopLimit != k.NwTTL {
				t.Fatalf("IPv6 differs: %+v", l)
			}
		}
		if l, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok && (uint16(l.SrcPort) != k.TpSrc || uint16(l.DstPort) != k.TpDst || l.ACK != (k.TCPFlags&packet.TCPAck != 0)) {
			t.Fatalf("TCP differs: %+v", l)
		}
		if l, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok && (uint16(l.SrcPort) != k.TpSrc || uint16(l.DstPort) != k.TpDst) {
			t.Fatalf("UDP differs: %+v", l)
		}
	})
}

func TestExtractIPv6Extensions(t *testing.T) {
	base, _ := ParseKey("tcp6,ipv6_src=::1,ipv6_dst=::2,tp_src=5,tp_dst=6", nil, nil)
	frame := Compose(base, []byte{})
	insert := func(proto byte, ext ...byte) []byte {
		f := append([]byte{}, frame[:54]...)
		f[20] = proto
		f = append(append(f, ext...), frame[54:]...)
		packet.PutBe16(f[18:], uint16(len(f)-54))
		return f
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		proto uint8
		frag  uint8
		src   uint16
	}{
		{"none", frame, 6, 0, 5},
		{"hop-by-hop", insert(0, 6, 0, 0, 0, 0, 0, 0, 0), 6, 0, 5},
		{"long destination options", insert(60, append([]byte{6, 1}, make([]byte, 14)...)...), 6, 0, 5},
		{"authentication", insert(51, append([]byte{6, 1}, make([]byte, 10)...)...), 6, 0, 5},
		{"first fragment", insert(44, 6, 0, 0, 1, 0, 0, 0, 1), 6, FragAny, 5},
		{"later fragment", insert(44, 6, 0, 0, 9, 0, 0, 0, 1), 44, FragAny | FragLater, 0},
		{"atomic fragment", insert(44, 6, 0, 0, 0, 0, 0, 0, 1), 6, 0, 5},
		{"truncated", insert(0, 6, 200, 0, 0, 0, 0, 0, 0), 0, 0, 0},
		{"truncated behind a fragment", insert(44, 0, 0, 0, 1, 0, 0, 0, 1, 6, 200, 0, 0, 0, 0, 0, 0), 0, 0, 0},
	} {
		var k Key
		Extract(tt.frame, &k)
		if k.NwProto != tt.proto || k.NwFrag != tt.frag || k.TpSrc != tt.src || k.IPv6Src[15] != 1 || k.IPv6Dst[15] != 2 {
			t.Errorf("%s: got %s", tt.name, &k)
		}
	}
}

func TestExtractDoesNotAllocate(t *testing.T) {
	k, _ := ParseKey("tcp,dl_vlan=5,nw_src=1.2.3.4", nil, nil)
	frame := Compose(k, nil)
	if n := testing.AllocsPerRun(100, func() { Extract(frame, k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Cutting a frame anywhere is safe and never invents a header.
func FuzzExtract(f *testing.F) {
	for _, s := range []string{"tcp", "udp6", "arp", "icmp6,icmpv6_type=135", "mpls", "dl_type=0x894f"} {
		k, _ := ParseKey(s, nil, nil)
		f.Add(Compose(k, nil))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var k Key
		o := ExtractOffsets(frame, &k)
		if o.L3 > len(frame) || o.L4 > len(frame) || o.L7 > len(frame) || o.Len > len(frame) {
			t.Errorf("offsets %+v beyond %d bytes", o, len(frame))
		}
		_ = k.String()
	})
}

func FuzzParseMatch(f *testing.F) {
	for _, tt := range matchTexts {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseMatch(s, nil); err == nil {
			_ = m.String()
			m.Normalize()
		}
		_, _ = ParseKey(s, nil, nil)
	})
}

func TestChecksumProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := make([]byte, 2+r.IntN(60))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		var naive uint32
		for i := 0; i < len(b); i += 2 {
			w := uint32(b[i]) << 8
			if i+1 < len(b) {
				w |= uint32(b[i+1])
			}
			naive += w
		}
		for naive > 0xffff {
			naive = naive>>16 + naive&0xffff
		}
		got := packet.Checksum(b)
		if got != ^uint16(naive) {
			t.Fatalf("%x: got %04x, want %04x", b, got, ^uint16(naive))
		}
		old := packet.Be16(b)
		packet.PutBe16(b, uint16(r.Uint32()))
		if up, want := packet.Update16(got, old, packet.Be16(b)), packet.Checksum(b); up != want && up+want != 0xffff {
			t.Fatalf("update gives %04x, sum %04x", up, want)
		}
	}
}
