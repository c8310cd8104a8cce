package datapath

import (
	"encoding/hex"
	"fmt"

	"weir/internal/flow"
	"weir/internal/packet"
	"weir/internal/tunnel"
)

// appendTunnelPush prints tnl_push(), whose header(...) tells what stands in the
// outer headers.
func appendTunnelPush(b []byte, a *TunnelPush, names *Namer) []byte {
	h := a.Header
	b = names.append(append(b, "tnl_push(tnl_port("...), a.Port)
	b = fmt.Appendf(b, "),header(size=%d,type=%d,", len(h.Bytes), h.Number())
	eth := packet.Ethernet(h.Bytes)
	b = fmt.Appendf(b, "eth(dst=%v,src=%v,dl_type=0x%04x),", eth.Dst(), eth.Src(), eth.Type())
	if eth.Type() == packet.EtherTypeIPv6 {
		ip := packet.IPv6(h.Network())
		b = fmt.Appendf(b, "ipv6(src=%s,dst=%s,label=%d,proto=%d,tclass=0x%x,hlimit=%d),", ipv6Text(ip.Src()), ipv6Text(ip.Dst()),
			ip.FlowLabel(), ip.NextHeader(), ip.TrafficClass(), ip.HopLimit())
	} else {
		ip := packet.IPv4(h.Network())
		b = fmt.Appendf(b, "ipv4(src=%s,dst=%s,proto=%d,tos=%s,ttl=%d,frag=%s),", flow.FormatIPv4(ip.Src()), flow.FormatIPv4(ip.Dst()),
			ip.Proto(), hexNum(nil, uint64(ip.TOS())), ip.TTL(), hexNum0x(uint64(ip.FragOff())))
	}
	b = appendShim(b, h)
	return append(names.append(append(b, "),out_port("...), a.OutPort), "))"...)
}

// appendShim prints what follows the outer IP header.
func appendShim(b []byte, h *tunnel.Header) []byte {
	if h.Kind.Proto() == packet.ProtoUDP {
		udp := packet.UDP(h.Transport())
		b = fmt.Appendf(b, "udp(src=%d,dst=%d,csum=0x%x),", udp.SrcPort(), udp.DstPort(), udp.Checksum())
	}
	s := h.Shim()
	switch name := h.Kind.ShimName(); name {
	case "vxlan":
		return fmt.Appendf(b, "vxlan(flags=0x%x,vni=0x%x)", s.Flags, s.Key)
	case "geneve":
		b = append(b, "geneve("...)
		if s.OAM {
			b = append(b, "oam,"...)
		}
		if s.Critical {
			b = append(b, "crit,"...)
		}
		b = fmt.Appendf(b, "vni=0x%x", s.Key)
		if len(s.Options) > 0 {
			b = append(appendOptions(append(b, ",options("...), s.Options, nil), ')')
		}
		return append(b, ')')
	case "gtpu":
		return fmt.Appendf(b, "gtpu(flags=0x%x,msgtype=%d,teid=0x%x)", s.Flags, s.Message, s.Key)
	case "erspan":
		b = fmt.Appendf(b, "erspan(ver=%d,sid=0x%x", s.Ver, s.Key)
		if s.Ver == 1 {
			return fmt.Appendf(b, ",idx=0x%x)", s.Idx)
		}
		return fmt.Appendf(b, ",dir=%d,hwid=0x%x)", s.Dir, s.HWID)
	}
	b = fmt.Appendf(b, "gre((flags=0x%x,proto=0x%x)", s.Flags, s.Proto)
	if s.HasCsum() {
		b = fmt.Appendf(b, ",csum=0x%x", s.Csum)
	}
	if s.HasKey() {
		b = fmt.Appendf(b, ",key=0x%x", s.Key)
	}
	if s.HasSeq() {
		b = fmt.Appendf(b, ",seq=0x%x", s.Seq)
	}
	return append(b, ')')
}

// appendOptions prints options of Geneve. mask has a bit for each of theirs that
// counts; nil: all do.
func appendOptions(b, options, mask []byte) []byte {
	for o := range tunnel.Options(options) {
		b = fmt.Appendf(b, "{class=%s,type=%s,len=%d", hexNum(nil, uint64(o.Class)), hexNum(nil, uint64(o.Type)), len(o.Data))
		var m []byte
		if mask != nil {
			m, mask = mask[:o.Len()][o.Len()-len(o.Data):], mask[o.Len():]
		}
		b = append(appendOptionData(b, o.Data, m), '}')
	}
	return b
}

// appendOptionData prints an option's data, unless nothing of it counts, with a
// mask, unless all of it does.
func appendOptionData(b, data, mask []byte) []byte {
	all, none := true, mask != nil
	for _, m := range mask {
		all, none = all && m == 0xff, none && m == 0
	}
	if len(data) == 0 || none {
		return b
	}
	b = appendHexNumber(append(b, ",0x"...), data)
	if !all {
		b = appendHexNumber(append(b, "/0x"...), mask)
	}
	return b
}

// appendHexNumber prints bytes as one number, without leading zeros.
func appendHexNumber(b, data []byte) []byte {
	digits := hex.AppendEncode(nil, data)
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	return append(b, digits...)
}
