package datapath

import (
	"strconv"

	"weir/internal/flow"
	"weir/internal/packet"
)

// EtherTypes that the text form treats by name.
const (
	ethIPv4    = 0x0800
	ethARP     = 0x0806
	ethRARP    = 0x8035
	ethVLAN    = 0x8100
	ethQinQ    = 0x88a8
	ethIPv6    = 0x86dd
	ethMPLS    = 0x8847
	ethMPLSm   = 0x8848
	ethNSH     = 0x894f
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
	protoSCTP  = 132
)

// FormatKey prints a key and mask as `ovs-dpctl dump-flows` does: fields in
// the order of the C programs, those with a zero mask left out. A nil mask
// prints the key alone, every field of it. verbose (dump-flows -m) prints
// fields with a zero mask too.
func FormatKey(k *flow.Key, m *flow.Mask, verbose bool, names *Namer) string {
	return string(AppendKey(nil, k, m, verbose, names))
}

// exactMask has every bit set; FormatKey uses it for a key alone.
var exactMask = func() *flow.Mask {
	m := new(flow.Mask)
	for i := range m.Words() {
		m.Words()[i] = ^uint64(0)
	}
	return m
}()

// AppendKey is [FormatKey] into b.
func AppendKey(b []byte, k *flow.Key, m *flow.Mask, verbose bool, names *Namer) []byte {
	w := &keyWriter{fieldWriter: fieldWriter{all: verbose}, k: k, m: m, names: names}
	if m == nil {
		w.m = exactMask
	}
	w.metadata()
	w.inner(0)
	return append(b, w.b...)
}

type keyWriter struct {
	fieldWriter
	k     *flow.Key
	m     *flow.Mask
	names *Namer
}

const (
	full8  = 0xff
	full16 = 0xffff
	full32 = 0xffffffff
)

// one prints a group with a single nameless hexadecimal member.
func (w *keyWriter) one(name string, v, m, full uint64) {
	if m != 0 || w.all {
		w.open(name)
		w.hex("", v, m, full)
		w.close()
	}
}

// inner prints the packet from VLAN tag n inwards; n 0 is the outermost.
func (w *keyWriter) inner(n int) {
	k, m := w.k, w.m
	if n == 0 {
		if k.PacketType == 0 {
			shown := m.EthSrc != packet.MAC{} || m.EthDst != packet.MAC{} || w.all
			if shown || m.PacketType == 0 {
				w.open("eth")
				w.mac("src", k.EthSrc, m.EthSrc)
				w.mac("dst", k.EthDst, m.EthDst)
				w.close()
			}
		}
	}
	if n < flow.MaxVLANs && k.VLANs[n].TCI != 0 {
		w.vlan(n)
		return
	}
	switch {
	case k.EthType >= packet.EtherTypeMin || k.EthType == 0:
		w.ethType(uint64(k.EthType), uint64(m.EthType))
	case m != exactMask && m.EthType != 0:
		// A frame without EtherType: the type is known to be none.
		w.open("eth_type")
		w.b = append(w.b, "0/0xffff"...)
		w.close()
	}
	w.network()
}

// ethType prints the EtherType; without a bit of it known, only when verbose.
func (w *keyWriter) ethType(v, m uint64) {
	if m == 0 && !w.all || v == 0 && m == 0 {
		return
	}
	w.open("eth_type")
	w.b = append(w.b, "0x"...)
	w.b = append(w.b, hex4(v)...)
	if m != full16 {
		w.b = append(append(w.b, "/0x"...), hex4(m)...)
	}
	w.close()
}

func hex4(v uint64) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[v>>12&15], digits[v>>8&15], digits[v>>4&15], digits[v&15]})
}

// vlan prints a tag and, in encap(), what it holds.
func (w *keyWriter) vlan(n int) {
	v, m := w.k.VLANs[n], w.m.VLANs[n]
	if m.TPID == 0 {
		m.TPID = full16 // dpctl knows it when the tag is there
	}
	w.ethType(uint64(v.TPID), uint64(m.TPID))
	w.open("vlan")
	w.dec0x("vid", uint64(v.TCI&0xfff), uint64(m.TCI&0xfff), 0xfff)
	w.dec0x("pcp", uint64(v.TCI>>13), uint64(m.TCI>>13), 7)
	if v.TCI&flow.VLANPresent == 0 && m.TCI&flow.VLANPresent != 0 {
		w.dec("cfi", 0, 1, 1)
	}
	w.close()
	w.open("encap")
	w.inner(n + 1)
	w.close()
}

func (w *keyWriter) ipv4Header() {
	k, m := w.k, w.m
	w.open("ipv4")
	w.ipv4("src", k.IPSrc, m.IPSrc)
	w.ipv4("dst", k.IPDst, m.IPDst)
	w.dec("proto", uint64(k.NwProto), uint64(m.NwProto), full8)
	w.hex("tos", uint64(k.NwTOS), uint64(m.NwTOS), full8)
	w.dec("ttl", uint64(k.NwTTL), uint64(m.NwTTL), full8)
	w.frag()
	w.close()
}

func (w *keyWriter) ipv6Header() {
	k, m := w.k, w.m
	w.open("ipv6")
	w.ipv6("src", k.IPv6Src, m.IPv6Src)
	w.ipv6("dst", k.IPv6Dst, m.IPv6Dst)
	w.hex("label", uint64(k.IPv6Label), uint64(m.IPv6Label&0xfffff), 0xfffff)
	w.dec("proto", uint64(k.NwProto), uint64(m.NwProto), full8)
	w.hex("tclass", uint64(k.NwTOS), uint64(m.NwTOS), full8)
	w.dec("hlimit", uint64(k.NwTTL), uint64(m.NwTTL), full8)
	w.frag()
	w.close()
}

// network prints layers 3 and 4.
func (w *keyWriter) network() {
	k, m := w.k, w.m
	switch k.EthType {
	case ethIPv4:
		if w.all || m.IPSrc|m.IPDst != 0 || m.NwProto|m.NwTOS|m.NwTTL|m.NwFrag != 0 {
			w.ipv4Header()
		}
	case ethIPv6:
		if w.all || m.IPv6Src != [16]byte{} || m.IPv6Dst != [16]byte{} || m.IPv6Label != 0 || m.NwProto|m.NwTOS|m.NwTTL|m.NwFrag != 0 {
			w.ipv6Header()
		}
	case ethARP, ethRARP:
		if w.all || m.IPSrc|m.IPDst != 0 || m.NwProto != 0 || m.ARPSHA != (packet.MAC{}) || m.ARPTHA != (packet.MAC{}) {
			w.open("arp")
			w.ipv4("sip", k.IPSrc, m.IPSrc)
			w.ipv4("tip", k.IPDst, m.IPDst)
			w.dec("op", uint64(k.NwProto), uint64(m.NwProto), full8)
			w.mac("sha", k.ARPSHA, m.ARPSHA)
			w.mac("tha", k.ARPTHA, m.ARPTHA)
			w.close()
		}
		return
	case ethMPLS, ethMPLSm:
		w.mpls()
		return
	case ethNSH:
		w.nsh()
		return
	default:
		return
	}
	if k.NwFrag&flow.FragLater == 0 {
		w.transport()
	}
}

func (w *keyWriter) frag() {
	if w.m.NwFrag == 0 {
		return
	}
	text := "no"
	if w.k.NwFrag&flow.FragLater != 0 {
		text = "later"
	} else if w.k.NwFrag&flow.FragAny != 0 {
		text = "first"
	}
	w.text("frag", text)
}

func (w *keyWriter) ports(name, a, b string, full uint64) {
	k, m := w.k, w.m
	if w.all || m.TpSrc|m.TpDst != 0 {
		w.open(name)
		w.dec(a, uint64(k.TpSrc), uint64(m.TpSrc)&full, full)
		w.dec(b, uint64(k.TpDst), uint64(m.TpDst)&full, full)
		w.close()
	}
}

func (w *keyWriter) transport() {
	k, m := w.k, w.m
	v6 := k.EthType == ethIPv6
	switch k.NwProto {
	case protoTCP:
		w.ports("tcp", "src", "dst", full16)
		if m.TCPFlags&0xfff != 0 || w.all {
			w.open("tcp_flags")
			if m.TCPFlags&0xfff == 0 {
				w.hex("", uint64(k.TCPFlags&0xfff), 0, full16)
			} else {
				w.flags(uint32(k.TCPFlags&0xfff), uint32(m.TCPFlags&0xfff), 0xfff, tcpFlagNames)
			}
			w.close()
		}
	case protoUDP:
		w.ports("udp", "src", "dst", full16)
	case protoSCTP:
		w.ports("sctp", "src", "dst", full16)
	case protoICMP:
		if !v6 {
			w.ports("icmp", "type", "code", full8)
		}
	case protoICMP6:
		if v6 {
			w.ports("icmpv6", "type", "code", full8)
			w.neighbour()
		}
	}
}

// neighbour prints the neighbour discovery members of an ICMPv6 packet.
func (w *keyWriter) neighbour() {
	k, m := w.k, w.m
	if k.TpSrc != 135 && k.TpSrc != 136 || k.TpDst != 0 {
		return
	}
	if w.all || m.NDTarget != [16]byte{} || m.ARPSHA != (packet.MAC{}) || m.ARPTHA != (packet.MAC{}) {
		w.open("nd")
		w.ipv6("target", k.NDTarget, m.NDTarget)
		w.mac("sll", k.ARPSHA, m.ARPSHA)
		w.mac("tll", k.ARPTHA, m.ARPTHA)
		w.close()
	}
	if m.NDReserved != 0 || m.NDOptionsType != 0 {
		w.open("nd_ext")
		w.hex("nd_reserved", uint64(k.NDReserved), uint64(m.NDReserved), full32)
		w.dec("nd_options_type", uint64(k.NDOptionsType), uint64(m.NDOptionsType), full8)
		w.close()
	}
}

// mpls prints as many label stack entries as the mask knows; if one of them is
// known in part only, each member shows its mask.
func (w *keyWriter) mpls() {
	n, exact := 0, true
	for i, m := range w.m.MPLS {
		if m != 0 || i == 0 && w.all {
			n = i + 1
		}
	}
	if w.m == exactMask {
		n = 1
		for n < flow.MaxMPLSLabels && w.k.MPLS[n-1]&0x100 == 0 {
			n++
		}
	}
	if n == 0 {
		return
	}
	for _, m := range w.m.MPLS[:n] {
		exact = exact && m == full32
	}
	w.open("mpls")
	for i := range n {
		v, m := w.k.MPLS[i], w.m.MPLS[i]
		w.lse(v, m, exact)
	}
	w.close()
}

func (w *fieldWriter) lse(v, m uint32, exact bool) {
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
	part := func(name string, v, m uint32, zero string) {
		w.b = strconv.AppendUint(append(w.b, name...), uint64(v), 10)
		if exact {
			return
		}
		w.b = append(w.b, '/')
		w.b = append(w.b, zero...)
		w.b = strconv.AppendUint(w.b, uint64(m), 16)
	}
	part("label=", v>>12, m>>12, "0x")
	part(",tc=", v>>9&7, m>>9&7, "")
	part(",ttl=", v&0xff, m&0xff, "0x")
	part(",bos=", v>>8&1, m>>8&1, "")
}

func (w *keyWriter) nsh() {
	k, m := &w.k.NSH, &w.m.NSH
	if *m == (flow.NSH{}) && !w.all {
		return
	}
	w.open("nsh")
	w.fieldWriter.nsh(k, m)
	w.close()
}

// nsh writes the members of a Network Service Header.
func (w *fieldWriter) nsh(k, m *flow.NSH) {
	w.dec("flags", uint64(k.Flags), uint64(m.Flags), full8)
	w.dec("ttl", uint64(k.TTL), uint64(m.TTL), full8)
	w.dec("mdtype", uint64(k.MDType), uint64(m.MDType), full8)
	w.dec("np", uint64(k.NP), uint64(m.NP), full8)
	w.hex("spi", uint64(k.PathHdr>>8), uint64(m.PathHdr>>8), 0xffffff)
	w.dec("si", uint64(k.PathHdr&0xff), uint64(m.PathHdr&0xff), full8)
	for i, name := range [...]string{"c1", "c2", "c3", "c4"} {
		w.hex(name, uint64(k.Context[i]), uint64(m.Context[i]), full32)
	}
}
