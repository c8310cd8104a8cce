package tunnel

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"weir/internal/flow"
	"weir/internal/packet"
)

// pushCase is a tunnel, and what an independent decoder must find in its packets.
type pushCase struct {
	typ, options string
	packetType   uint32
	layers       []gopacket.LayerType // behind Ethernet and IP
}

var (
	ipv4Type = flow.L3PacketType(packet.EtherTypeIPv4)
	nshType  = flow.L3PacketType(packet.EtherTypeNSH)
)

var pushCases = []pushCase{
	{"vxlan", "key=5", 0, []gopacket.LayerType{layers.LayerTypeUDP, layers.LayerTypeVXLAN, layers.LayerTypeEthernet}},
	{"vxlan", "key=5 csum=true tos=8 ttl=3", 0, []gopacket.LayerType{layers.LayerTypeUDP, layers.LayerTypeVXLAN, layers.LayerTypeEthernet}},
	{"vxlan", "key=5 exts=gbp", 0, []gopacket.LayerType{layers.LayerTypeUDP, layers.LayerTypeVXLAN, layers.LayerTypeEthernet}},
	{"vxlan", "key=7 exts=gpe packet_type=ptap", ipv4Type, []gopacket.LayerType{layers.LayerTypeUDP}},
	{"vxlan", "key=7 exts=gpe packet_type=ptap", nshType, []gopacket.LayerType{layers.LayerTypeUDP}},
	{"gre", "", 0, []gopacket.LayerType{layers.LayerTypeGRE, layers.LayerTypeEthernet}},
	{"gre", "key=9 csum=true seq=true", 0, []gopacket.LayerType{layers.LayerTypeGRE, layers.LayerTypeEthernet}},
	{"gre", "key=9 packet_type=legacy_l3 df_default=false", ipv4Type, []gopacket.LayerType{layers.LayerTypeGRE, layers.LayerTypeIPv4}},
	{"geneve", "key=11", 0, []gopacket.LayerType{layers.LayerTypeUDP, layers.LayerTypeGeneve, layers.LayerTypeEthernet}},
	{"gtpu", "key=12", ipv4Type, []gopacket.LayerType{layers.LayerTypeUDP, layers.LayerTypeGTPv1U, layers.LayerTypeIPv4}},
	{"erspan", "key=13 erspan_ver=1 erspan_idx=0x12345", 0, []gopacket.LayerType{layers.LayerTypeGRE, layers.LayerTypeERSPANII, layers.LayerTypeEthernet}},
	{"erspan", "key=13 erspan_ver=2 erspan_dir=1 erspan_hwid=0x1f", 0, []gopacket.LayerType{layers.LayerTypeGRE}},
}

// innerPacket is a frame, or without its Ethernet header what follows it.
func innerPacket(packetType uint32) []byte {
	b := gopacket.NewSerializeBuffer()
	ip := &layers.IPv4{Version: 4, TTL: 9, Protocol: layers.IPProtocolUDP, SrcIP: []byte{10, 0, 0, 1}, DstIP: []byte{10, 0, 0, 2}}
	udp := &layers.UDP{SrcPort: 1000, DstPort: 2000}
	_ = udp.SetNetworkLayerForChecksum(ip)
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4},
		ip, udp, gopacket.Payload("odd length."))
	if err != nil {
		panic(err)
	}
	if packetType != 0 {
		return b.Bytes()[packet.EthLen:]
	}
	return b.Bytes()
}

// outerOf is what is sent through a tunnel between two addresses of a family.
func outerOf(v6 bool, c *Config, pc *pushCase) *Outer {
	t := &flow.Tunnel{ID: c.OutKey, TOS: c.TOS, TTL: c.TTL, TpDst: c.DstPort, ERSPANVer: c.ERSPAN.Ver, ERSPANIdx: c.ERSPAN.Idx, ERSPANDir: c.ERSPAN.Dir, ERSPANHwid: c.ERSPAN.HWID}
	if v6 {
		t.IPv6Src, t.IPv6Dst = netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr("2001:db8::2").As16()
	} else {
		t.Src, t.Dst = 0x01010101, 0x02020202
	}
	if c.DF {
		t.Flags |= flow.TunnelDF
	}
	if c.Csum {
		t.Flags |= flow.TunnelCsum
	}
	if c.Has("gbp") {
		t.GBPID, t.GBPFlags = 0x1234, gbpApplied
	}
	o := &Outer{Src: packet.MAC{2, 0, 0, 0, 1, 1}, Dst: packet.MAC{2, 0, 0, 0, 1, 2}, Tunnel: t, PacketType: pc.packetType}
	if c.Kind.Type == "geneve" {
		o.Options = AppendOption(AppendOption(nil, Option{0x102, 0x80, []byte{1, 2, 3, 4}}), Option{0xffff, 1, nil})
	}
	return o
}

// Every kind of outer header is what an independent decoder takes for it, with
// right lengths and checksums, and is read back as it was made.
func TestPushPop(t *testing.T) {
	for _, pc := range pushCases {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprint(pc.typ, " ", pc.options, " ", pc.packetType, " v6=", v6), func(t *testing.T) {
				c, warnings, err := Parse("t0", pc.typ, options("remote_ip=flow "+pc.options))
				if err != nil || len(warnings) > 0 {
					t.Fatal(err, warnings)
				}
				o := outerOf(v6, c, &pc)
				h, err := c.Header(o)
				if err != nil {
					t.Fatal(err)
				}
				inner := innerPacket(pc.packetType)
				for seq := range uint32(2) {
					frame := append(append([]byte(nil), h.Bytes...), inner...)
					h.Finish(frame, 40000, 77)
					checkOuter(t, frame, &pc, c, v6, seq)
					checkPopped(t, frame, h, o, inner)
				}
			})
		}
	}
}

func checkOuter(t *testing.T, frame []byte, pc *pushCase, c *Config, v6 bool, seq uint32) {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	var types []gopacket.LayerType
	for _, l := range p.Layers() {
		types = append(types, l.LayerType())
	}
	ip := layers.LayerTypeIPv4
	if v6 {
		ip = layers.LayerTypeIPv6
	}
	want := append([]gopacket.LayerType{layers.LayerTypeEthernet, ip}, pc.layers...)
	if len(types) < len(want) || !cmp.Equal(types[:len(want)], want) {
		t.Errorf("% x is %v, want %v", frame, types, want)
	}
	for _, l := range p.Layers()[1:3] { // the outer ones
		if u, ok := l.(*layers.UDP); ok {
			_ = u.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
		if l, ok := l.(gopacket.LayerWithChecksum); ok {
			if err, sum := l.VerifyChecksum(); err != nil || !sum.Valid {
				t.Errorf("% x: checksum %+v, %v", frame, sum, err)
			}
		}
	}
	if l, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok && !v6 {
		if int(l.Length) != len(frame)-packet.EthLen || (l.Id == 77) == c.DF {
			t.Errorf("outer IP %+v", l)
		}
	}
	if l, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok && c.Kind.proto == packet.ProtoUDP {
		if int(l.Length) != len(l.Contents)+len(l.Payload) || l.SrcPort != 40000 || l.DstPort != layers.UDPPort(c.DstPort) || (l.Checksum != 0) != (c.Csum || v6) {
			t.Errorf("outer UDP %+v", l)
		}
	}
	if l, ok := p.Layer(layers.LayerTypeGRE).(*layers.GRE); ok && c.Kind.ShimName() == ShimGRE {
		if l.KeyPresent != c.OutKeySet || l.Key != uint32(c.OutKey) || l.SeqPresent != c.Seq || c.Seq && l.Seq != seq || l.ChecksumPresent != c.Csum {
			t.Errorf("GRE %+v", l)
		}
		if l.ChecksumPresent && packet.Checksum(append(append([]byte(nil), l.Contents...), l.Payload...)) != 0 {
			t.Errorf("GRE's checksum %#x is wrong", l.Checksum)
		}
	}
	if l, ok := p.Layer(layers.LayerTypeVXLAN).(*layers.VXLAN); ok && (l.VNI != uint32(c.OutKey) || l.GBPExtension != c.Has("gbp")) {
		t.Errorf("VXLAN %+v", l)
	}
	if l, ok := p.Layer(layers.LayerTypeGeneve).(*layers.Geneve); ok && (l.VNI != uint32(c.OutKey) || len(l.Options) != 2 || !l.CriticalOption) {
		t.Errorf("Geneve %+v", l)
	}
	if l, ok := p.Layer(layers.LayerTypeGTPv1U).(*layers.GTPv1U); ok && (l.TEID != uint32(c.OutKey) || int(l.MessageLength) != len(l.Payload)) {
		t.Errorf("GTP-U %+v", l)
	}
}

func checkPopped(t *testing.T, frame []byte, h *Header, o *Outer, inner []byte) {
	t.Helper()
	var k flow.Key
	offs := flow.ExtractOffsets(frame, &k)
	var got flow.Tunnel
	p, err := h.Kind.Pop(frame, &offs, false, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := *o.Tunnel
	if h.Ports() {
		want.TpSrc = 40000
	}
	if want.TTL == 0 {
		want.TTL = DefaultTTL
	}
	want.Flags &^= flow.TunnelDF // receivers don't tell
	want.Flags |= got.Flags & flow.TunnelKey
	if h.Kind.proto == packet.ProtoUDP && want.Dst == 0 {
		want.Flags |= flow.TunnelCsum
	}
	if h.Kind.Type == "gtpu" {
		want.GTPUFlags, want.GTPUMsg = gtpuVersion, gtpuGPDU
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(flow.Tunnel{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.PacketType != o.PacketType || !bytes.Equal(frame[p.Len:], inner) || !bytes.Equal(p.Options, o.Options) {
		t.Errorf("popped %+v, want type %#x, %d bytes of headers", p, o.PacketType, len(frame)-len(inner))
	}
}

// What isn't right is dropped, and said why.
func TestPopRefuses(t *testing.T) {
	c, _, err := Parse("t0", "gre", options("remote_ip=flow key=3 csum=true"))
	if err != nil {
		t.Fatal(err)
	}
	pc := pushCase{}
	h, err := c.Header(outerOf(false, c, &pc))
	if err != nil {
		t.Fatal(err)
	}
	good := append(append([]byte(nil), h.Bytes...), innerPacket(0)...)
	h.Finish(good, 0, 0)
	pop := func(frame []byte) error {
		var k flow.Key
		var got flow.Tunnel
		offs := flow.ExtractOffsets(frame, &k)
		_, err := c.Kind.Pop(frame, &offs, false, &got)
		return err
	}
	for name, x := range map[string]struct {
		at   int
		want error
	}{"payload": {len(good) - 1, ErrChecksum}, "IP checksum": {24, ErrChecksum}, "GRE version": {35, ErrShim}} {
		bad := bytes.Clone(good)
		bad[x.at] ^= 1
		if err := pop(bad); err != x.want {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	if err := pop(good[:40]); err != ErrShort {
		t.Errorf("cut: %v", err)
	}
}

// No frame makes Pop fail worse than by an error, and what it pops lies within.
func FuzzPop(f *testing.F) {
	for _, pc := range pushCases {
		c, _, err := Parse("t0", pc.typ, options("remote_ip=flow "+pc.options))
		if err != nil {
			f.Fatal(err)
		}
		h, err := c.Header(outerOf(false, c, &pc))
		if err != nil {
			f.Fatal(err)
		}
		frame := append(bytes.Clone(h.Bytes), innerPacket(pc.packetType)...)
		h.Finish(frame, 1, 2)
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var k flow.Key
		offs := flow.ExtractOffsets(frame, &k)
		for i := range Kinds {
			for _, trusted := range []bool{false, true} {
				var tun flow.Tunnel
				p, err := Kinds[i].Pop(frame, &offs, trusted, &tun)
				if err == nil && (p.Len < 0 || p.Len > len(frame)) {
					t.Errorf("%s: popped %d of %d bytes", Kinds[i].Type, p.Len, len(frame))
				}
			}
			if h, err := NewHeader(&Kinds[i], frame); err == nil && Kinds[i].Native() {
				h.Shim()
				whole := bytes.Clone(frame)
				h.Finish(whole, 1, 2)
			}
		}
	})
}
