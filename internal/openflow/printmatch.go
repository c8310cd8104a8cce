package openflow

import (
	"fmt"
	"strings"

	"weir/internal/flow"
)

// match10Text prints the match of an OpenFlow 1.0 flow mod as it is on the wire.
func (p *printer) match10Text() string {
	if len(p.raw) < HeaderLen+40 {
		return ""
	}
	return FormatMatch10(p.raw[HeaderLen:HeaderLen+40], p.opt.Names)
}

// The words for EtherTypes and, of IPv4, for protocols.
var (
	ethTypeNames10 = map[uint16]string{0x800: "ip", 0x806: "arp", 0x8035: "rarp", 0x8847: "mpls", 0x8848: "mplsm"}
	protoNames10   = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 132: "sctp"}
)

// matchName10 is the word for the EtherType of a match, and the protocol where that
// has one, "" where there is none or the match doesn't look.
func matchName10(wild uint32, ethType uint16, proto uint8) (name string, protoNamed bool) {
	if wild&(1<<4) != 0 {
		return "", false
	}
	if ethType == 0x800 && wild&(1<<5) == 0 {
		if name, protoNamed = protoNames10[proto]; protoNamed {
			return name, true
		}
	}
	return ethTypeNames10[ethType], false
}

// FormatMatch10 prints the 40 bytes of an ofp10_match member by member.
func FormatMatch10(raw []byte, names *Names) string {
	if len(raw) < 40 {
		return "<truncated>"
	}
	c := cursor{b: raw}
	wild := c.u32()
	inPort := Port10(c.u16())
	src, dst := c.mac(), c.mac()
	vlan, pcp := c.u16(), c.u8()
	c.skip(1)
	ethType, tos, proto := c.u16(), c.u8(), c.u8()
	c.skip(2)
	ipSrc, ipDst := c.u32(), c.u32()
	tpSrc, tpDst := c.u16(), c.u16()
	var out []string
	name, protoNamed := matchName10(wild, ethType, proto)
	if name != "" {
		out = append(out, name)
	}
	field := func(bit uint32, name, value string) {
		if wild&bit == 0 {
			out = append(out, name+"="+value)
		}
	}
	field(1<<0, "in_port", names.port(inPort))
	field(1<<1, "dl_vlan", fmt.Sprint(vlan))
	field(1<<20, "dl_vlan_pcp", fmt.Sprint(pcp))
	field(1<<2, "dl_src", macText(src))
	field(1<<3, "dl_dst", macText(dst))
	if name == "" {
		field(1<<4, "dl_type", fmt.Sprintf("0x%04x", ethType))
	}
	ip := func(shift uint32, name string, a uint32) {
		if mask := cidrMask(wild >> shift & 63); mask != 0 {
			out = append(out, name+"="+flow.FormatIPv4Masked(a, mask))
		}
	}
	ip(w10SrcShift, "nw_src", ipSrc)
	ip(w10DstShift, "nw_dst", ipDst)
	if !protoNamed {
		if ethType == 0x806 || ethType == 0x8035 {
			field(1<<5, "arp_op", fmt.Sprint(proto))
		} else {
			field(1<<5, "nw_proto", fmt.Sprint(proto))
		}
	}
	field(1<<21, "nw_tos", fmt.Sprint(tos))
	if ethType == 0x800 && proto == 1 {
		field(1<<6, "icmp_type", fmt.Sprint(tpSrc))
		field(1<<7, "icmp_code", fmt.Sprint(tpDst))
	} else {
		field(1<<6, "tp_src", fmt.Sprint(tpSrc))
		field(1<<7, "tp_dst", fmt.Sprint(tpDst))
	}
	return strings.Join(out, ",")
}

// nxMatchText prints the match of NXT_FLOW_MOD field by field.
func (p *printer) nxMatchText() string {
	const at = HeaderLen + 8 + 32 // vendor header, nx_flow_mod
	if len(p.raw) < at {
		return ""
	}
	n := int(p.raw[at-8])<<8 | int(p.raw[at-7])
	if at+n > len(p.raw) {
		return ""
	}
	return FormatNXM(p.raw[at:at+n], V10)
}

// FormatNXM prints NXM or OXM fields as NAME(value/mask), in the order in which
// they stand; an empty match is "<any>".
func FormatNXM(b []byte, v Version) string {
	if len(b) == 0 {
		return "<any>"
	}
	c := cursor{b: b}
	var out []string
	for c.left() > 0 && c.err == nil {
		h := c.oxmWire(ErrBMCBadLen)
		body := c.bytes(h.payload)
		if c.err != nil {
			break
		}
		n := h.valueLen()
		s := headerName(h) + "(" + fmt.Sprintf("%x", body[:n])
		if h.hasMask {
			s += "/" + fmt.Sprintf("%x", body[n:])
		}
		out = append(out, s+")")
	}
	return strings.Join(out, ", ")
}

// headerName is the name of an NXM or OXM header.
func headerName(h oxm) string {
	suffix := ""
	if h.hasMask {
		suffix = "_W"
	}
	if h.isCookie() {
		return "NXM_NX_COOKIE" + suffix
	}
	if f := h.field(); f != nil {
		want := flow.MakeHeader(h.class, h.exp, h.num, h.valueLen())
		for _, c := range f.Codepoints {
			if c.Header == want || f.IsTunMetadata() {
				return c.Name + suffix
			}
		}
	}
	if h.exp != 0 {
		return fmt.Sprintf("0x%04x%08x:%d", h.class, h.exp, h.num)
	}
	return fmt.Sprintf("%d:%d", h.class, h.num)
}
