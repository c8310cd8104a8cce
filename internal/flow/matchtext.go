package flow

import (
	"fmt"
	"strconv"

	"weir/internal/packet"
)

// matchPrinter prints a match in the order of ovs-ofctl dump-flows.
type matchPrinter struct {
	b     []byte
	k     *Key
	m     *Mask
	names PortNames
	tlv   *TLVTable
}

// String prints the match as ovs-ofctl does, without a priority.
func (m *Match) String() string { return m.Format(DefaultPriority, nil) }

// Format prints the match as ovs-ofctl dump-flows does; the default priority
// is left out. The empty match prints as nothing.
func (m *Match) Format(priority int, names PortNames) string {
	var room [192]byte
	return string(m.Append(room[:0], priority, names))
}

// Append appends to dst what [Match.Format] prints.
func (m *Match) Append(dst []byte, priority int, names PortNames) []byte {
	p := matchPrinter{b: dst, k: &m.Key, m: &m.Mask, names: names, tlv: m.TLV}
	if priority != DefaultPriority && priority >= 0 {
		p.text("priority=")
		p.uint(uint64(priority))
		p.byte(',')
	}
	p.metadata()
	p.conntrack()
	skipType, skipProto := p.protocol()
	p.registers()
	p.tunnel()
	p.field(FieldMetadata, "metadata")
	p.field(FieldInPortOXM, "in_port")
	p.vlans()
	p.field(FieldEthSrc, "dl_src")
	p.field(FieldEthDst, "dl_dst")
	if !skipType && p.m.EthType != 0 {
		p.text("dl_type=")
		p.hex4(p.l3Type())
		p.byte(',')
	}
	p.l3(skipProto)
	p.l4()
	if n := len(p.b); n > len(dst) && p.b[n-1] == ',' {
		p.b = p.b[:n-1]
	}
	return p.b
}

func (p *matchPrinter) text(s string) { p.b = append(p.b, s...) }

func (p *matchPrinter) byte(c byte) { p.b = append(p.b, c) }

func (p *matchPrinter) printf(format string, args ...any) { p.b = fmt.Appendf(p.b, format, args...) }

// field prints name=value, when a bit of the field counts.
func (p *matchPrinter) field(id FieldID, name string) {
	if o := &oneWord[id]; o.mask != 0 && p.m.Words()[o.word]&o.mask == 0 {
		return
	}
	f := id.Field()
	mask := f.Get(p.m)
	if mask.IsZero() {
		return
	}
	if mask == f.full {
		mask = f.exact
	}
	p.text(name)
	p.byte('=')
	p.value(f, f.Get(p.k), mask)
	p.byte(',')
}

// unmasked prints a field without its mask: of the headers of ERSPAN and GTP-U
// a match that came by a message has only the bits that are one.
func (p *matchPrinter) unmasked(id FieldID, name string) {
	f := id.Field()
	if !f.Get(p.m).IsZero() {
		p.text(name + "=" + f.FormatValue(f.Get(p.k), f.exact, nil) + ",")
	}
}

// value prints a value; the forms that most flows have without detour.
func (p *matchPrinter) value(f *Field, v, mask Value) {
	if mask == f.exact && v.Hi == 0 && v.wide == "" {
		switch {
		case f.Form == FormDecimal:
			p.uint(v.Lo)
			return
		case f.Form == FormHex:
			p.hex(v.Lo)
			return
		case f.Form == FormEthernet:
			p.b = packet.MACFromUint64(v.Lo).AppendTo(p.b)
			return
		case f.Form == FormIPv4:
			p.b = packet.Addr4(uint32(v.Lo)).AppendTo(p.b)
			return
		case f.Form == FormPort11 && v.Lo < portMax10 && p.names == nil:
			p.uint(v.Lo)
			return
		}
	}
	p.text(f.FormatValue(v, mask, p.names))
}

func (p *matchPrinter) uint(n uint64) { p.b = strconv.AppendUint(p.b, n, 10) }

// hex prints C's %#x.
func (p *matchPrinter) hex(n uint64) {
	if n != 0 {
		p.text("0x")
	}
	p.b = strconv.AppendUint(p.b, n, 16)
}

// hex4 prints C's %#06x.
func (p *matchPrinter) hex4(n uint16) {
	const digits = "0123456789abcdef"
	p.b = append(p.b, '0', 'x', digits[n>>12], digits[n>>8&15], digits[n>>4&15], digits[n&15])
}

// hexField prints a field in hexadecimal, zero as 0x0.
func (p *matchPrinter) hexField(id FieldID, name string) {
	f := id.Field()
	if f.IsWild(p.m) {
		return
	}
	p.printf("%s=0x%x", name, f.Get(p.k).Lo)
	if !f.IsExact(p.m) {
		p.printf("/0x%x", f.Get(p.m).Lo)
	}
	p.byte(',')
}

// Shorthands, the more specific before the general.
var Shorthands = []Shorthand{
	{"icmp", packet.EtherTypeIPv4, packet.ProtoICMP},
	{"tcp", packet.EtherTypeIPv4, packet.ProtoTCP},
	{"udp", packet.EtherTypeIPv4, packet.ProtoUDP},
	{"sctp", packet.EtherTypeIPv4, packet.ProtoSCTP},
	{"ip", packet.EtherTypeIPv4, -1},
	{"icmp6", packet.EtherTypeIPv6, packet.ProtoICMPv6},
	{"tcp6", packet.EtherTypeIPv6, packet.ProtoTCP},
	{"udp6", packet.EtherTypeIPv6, packet.ProtoUDP},
	{"sctp6", packet.EtherTypeIPv6, packet.ProtoSCTP},
	{"ipv6", packet.EtherTypeIPv6, -1},
	{"arp", packet.EtherTypeARP, -1},
	{"rarp", packet.EtherTypeRARP, -1},
	{"mpls", packet.EtherTypeMPLS, -1},
	{"mplsm", packet.EtherTypeMPLSM, -1},
}

// protocol prints the packet type and the shorthand for what the match says of
// EtherType and protocol; it reports what the shorthand has said.
func (p *matchPrinter) protocol() (skipType, skipProto bool) {
	if p.m.PacketType != 0 {
		isDefault := p.k.PacketType == 0 && p.m.PacketType == 0xffffffff
		switch {
		case isDefault && p.m.RecircID != 0: // a megaflow says it
			p.text("eth,")
		case !isDefault:
			p.text("packet_type=" + FormatPacketType(p.k.PacketType))
			if p.m.PacketType != 0xffffffff {
				p.text("/" + FormatPacketType(p.m.PacketType))
			}
			p.byte(',')
		}
	}
	if p.m.EthType == 0 {
		return false, false
	}
	ethType := p.l3Type()
	for _, n := range Shorthands {
		if n.EthType != ethType {
			continue
		}
		if n.Proto < 0 || p.m.NwProto != 0 && int(p.k.NwProto) == n.Proto {
			p.text(n.Name)
			p.byte(',')
			return true, n.Proto >= 0
		}
	}
	return false, false
}

func (p *matchPrinter) vlans() {
	for i := range MaxVLANs {
		m, v := p.m.VLANs[i].TCI, p.k.VLANs[i].TCI
		if m == 0 {
			break
		}
		suffix := ""
		if i > 0 {
			suffix = strconv.Itoa(i)
		}
		vid, pcp := m&0x0fff, m&0xe000
		plain := (vid == 0 || vid == 0x0fff) && (pcp == 0 || pcp == 0xe000) && vid|pcp != 0
		switch {
		case m&v&VLANPresent != 0 && plain:
			if vid != 0 {
				p.printf("dl_vlan%s=%d,", suffix, v&0x0fff)
			}
			if pcp != 0 {
				p.printf("dl_vlan_pcp%s=%d,", suffix, v>>13)
			}
		case m == 0xffff:
			p.text("vlan_tci")
			p.text(suffix)
			p.byte('=')
			p.hex4(v)
			p.byte(',')
		default:
			p.printf("vlan_tci%s=0x%04x/0x%04x,", suffix, v, m)
		}
	}
}

// l3Type is the EtherType, for packets without Ethernet that of their type.
func (p *matchPrinter) l3Type() uint16 {
	t, ok := facts{k: p.k, m: p.m}.etherType()
	if !ok {
		return 0
	}
	return t
}

func (p *matchPrinter) l3(skipProto bool) {
	t := p.l3Type()
	arp := t == packet.EtherTypeARP || t == packet.EtherTypeRARP
	switch {
	case t == packet.EtherTypeIPv6:
		p.field(FieldIPv6Src, "ipv6_src")
		p.field(FieldIPv6Dst, "ipv6_dst")
		if m := p.m.IPv6Label; m == 0xfffff || m == 0xffffffff {
			p.printf("ipv6_label=0x%05x,", p.k.IPv6Label)
		} else if m != 0 {
			p.printf("ipv6_label=0x%05x/0x%05x,", p.k.IPv6Label, m)
		}
	case arp:
		p.field(FieldARPSPA, "arp_spa")
		p.field(FieldARPTPA, "arp_tpa")
	case t == packet.EtherTypeNSH:
		p.nsh()
	default:
		p.field(FieldIPv4Src, "nw_src")
		p.field(FieldIPv4Dst, "nw_dst")
	}
	if arp {
		p.field(FieldARPOp, "arp_op")
		p.field(FieldARPSHA, "arp_sha")
		p.field(FieldARPTHA, "arp_tha")
	} else if !skipProto {
		p.field(FieldIPProto, "nw_proto")
	}
	if p.m.NwTOS&0xfc != 0 {
		p.text("nw_tos=")
		p.uint(uint64(p.k.NwTOS & 0xfc))
		p.byte(',')
	}
	p.field(FieldIPECN, "nw_ecn")
	p.field(FieldIPTTL, "nw_ttl")
	p.mpls()
	p.field(FieldIPFrag, "nw_frag")
}

func (p *matchPrinter) mpls() {
	if p.l3Type() != packet.EtherTypeMPLS && p.l3Type() != packet.EtherTypeMPLSM {
		return
	}
	p.field(FieldMPLSLabel, "mpls_label")
	p.field(FieldMPLSTC, "mpls_tc")
	p.field(FieldMPLSTTL, "mpls_ttl")
	p.field(FieldMPLSBOS, "mpls_bos")
	for i := 1; i < MaxMPLSLabels; i++ {
		switch m := p.m.MPLS[i]; m {
		case 0:
		case 0xffffffff:
			p.printf("mpls_lse%d=%d,", i, p.k.MPLS[i])
		default:
			p.printf("mpls_lse%d=0x%08x/0x%08x,", i, p.k.MPLS[i], m)
		}
	}
}

func (p *matchPrinter) nsh() {
	p.field(FieldNSHFlags, "nsh_flags")
	p.field(FieldNSHTTL, "nsh_ttl")
	p.field(FieldNSHMDType, "nsh_mdtype")
	p.field(FieldNSHNP, "nsh_np")
	p.hexField(FieldNSHSPI, "nsh_spi")
	p.field(FieldNSHSI, "nsh_si")
	for i := range 4 {
		p.hexField(FieldNSHC1+FieldID(i), "nsh_c"+strconv.Itoa(i+1))
	}
}

func (p *matchPrinter) l4() {
	t := p.l3Type()
	ip4, ip6 := t == packet.EtherTypeIPv4, t == packet.EtherTypeIPv6
	proto := -1
	if p.m.NwProto != 0 {
		proto = int(p.k.NwProto)
	}
	switch {
	case ip4 && proto == packet.ProtoICMP:
		p.ports("icmp_type", "icmp_code")
	case ip6 && proto == packet.ProtoICMPv6:
		p.ports("icmp_type", "icmp_code")
		p.field(FieldNDTarget, "nd_target")
		p.field(FieldNDSLL, "nd_sll")
		p.field(FieldNDTLL, "nd_tll")
		p.field(FieldNDReserved, "nd_reserved")
		p.field(FieldNDOptionsType, "nd_options_type")
	default: // in other protocols only before normalization
		p.ports("tp_src", "tp_dst")
	}
	if proto == packet.ProtoTCP {
		p.field(FieldTCPFlags, "tcp_flags")
	}
}

func (p *matchPrinter) ports(src, dst string) {
	for _, f := range [...]struct {
		id   FieldID
		name string
	}{{FieldTCPSrc, src}, {FieldTCPDst, dst}} {
		if f.id.Field().IsExact(p.m) {
			p.field(f.id, f.name)
		} else {
			p.hexField(f.id, f.name)
		}
	}
}
