package flow

import (
	"sync/atomic"

	"weir/internal/packet"
)

// Offsets are where the parts of a frame begin, in bytes; -1 where the frame
// doesn't have the part. L3 is what follows Ethernet header and VLAN tags,
// L25 the MPLS label stack, Len the length of the frame without padding.
type Offsets struct {
	L25, L3, L4, L7 int
	Len             int
}

// Extract fills the packet part of a key, EthDst and what follows, from an
// Ethernet frame. It leaves metadata, registers and the tunnel alone. Parts
// that the frame is too short for, or that contradict themselves, stay zero:
// a truncated packet matches as if it hadn't the header. No frame makes it
// fail, and it doesn't allocate.
func Extract(frame []byte, k *Key) { ExtractOffsets(frame, k) }

// ExtractOffsets is [Extract] that also says where the headers are.
func ExtractOffsets(frame []byte, k *Key) Offsets {
	clear(k.Words()[firstL2Word:])
	o := Offsets{-1, -1, -1, -1, len(frame)}
	if len(frame) < packet.EthLen {
		return o
	}
	k.EthDst = packet.MAC(frame[0:6])
	k.EthSrc = packet.MAC(frame[6:12])
	pos := extractVLANs(frame, k)
	pos = extractEthType(frame, pos, k)
	o.L3 = pos
	b := frame[pos:]
	switch k.EthType {
	case packet.EtherTypeIPv4:
		extractIPv4(b, k, &o)
	case packet.EtherTypeIPv6:
		extractIPv6(b, k, &o)
	case packet.EtherTypeARP, packet.EtherTypeRARP:
		extractARP(b, k)
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		extractMPLS(b, k, &o)
	case packet.EtherTypeNSH:
		extractNSH(b, k)
	}
	return o
}

// ExtractL3 fills a key from a packet without Ethernet header, of the EtherType
// that the key's packet type names.
func ExtractL3(b []byte, k *Key) Offsets {
	clear(k.Words()[firstL2Word:])
	k.EthType = uint16(k.PacketType)
	o := Offsets{-1, 0, -1, -1, len(b)}
	switch k.EthType {
	case packet.EtherTypeIPv4:
		extractIPv4(b, k, &o)
	case packet.EtherTypeIPv6:
		extractIPv6(b, k, &o)
	case packet.EtherTypeMPLS, packet.EtherTypeMPLSM:
		extractMPLS(b, k, &o)
	case packet.EtherTypeNSH:
		extractNSH(b, k)
	}
	return o
}

// vlanLimit is how many tags extraction looks at; what follows them is the
// frame's type, be it another tag.
var vlanLimit atomic.Int32

// SetVLANLimit sets how many VLAN tags extraction looks at, for the whole
// process (ovs-vswitchd.conf.db(5), Open_vSwitch, other_config:vlan-limit):
// 1 until it is called; 0 and anything above MaxVLANs mean MaxVLANs. Flows
// extracted under another limit should be dropped then.
func SetVLANLimit(n int) {
	if n <= 0 || n > MaxVLANs {
		n = MaxVLANs
	}
	vlanLimit.Store(int32(n))
}

// VLANLimit is the limit in force.
func VLANLimit() int { return max(int(vlanLimit.Load()), 1) }

// LimitVLANs makes a key that was written down what extraction makes of such a
// frame: a tag beyond the limit is the frame's type, and what follows it isn't
// looked at.
func (k *Key) LimitVLANs() {
	n := VLANLimit()
	if n >= MaxVLANs || k.VLANs[n].TCI&VLANPresent == 0 {
		return
	}
	limited := Key{EthSrc: k.EthSrc, EthDst: k.EthDst, EthType: k.VLANs[n].TPID}
	copy(limited.VLANs[:n], k.VLANs[:])
	from, to := limited.Words(), k.Words()
	copy(to[firstL2Word:], from[firstL2Word:])
}

// extractVLANs reads tags up to the limit and returns where the type is that
// follows them.
func extractVLANs(frame []byte, k *Key) int {
	pos := 12
	for i := range VLANLimit() {
		if len(frame) < pos+packet.VLANLen+2 {
			break
		}
		tpid := packet.Be16(frame[pos:])
		if tpid != packet.EtherTypeVLAN && tpid != packet.EtherTypeQinQ {
			break
		}
		k.VLANs[i] = VLAN{tpid, packet.Be16(frame[pos+2:]) | VLANPresent}
		pos += packet.VLANLen
	}
	return pos
}

// extractEthType reads the type at pos, through an LLC and SNAP header where
// there is one, and returns where the payload begins.
func extractEthType(frame []byte, pos int, k *Key) int {
	t := packet.Be16(frame[pos:])
	pos += 2
	if t >= packet.EtherTypeMin {
		k.EthType = t
		return pos
	}
	k.EthType = packet.EtherTypeNone
	if b := frame[pos:]; len(b) >= packet.SNAPLen && b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && b[3]|b[4]|b[5] == 0 {
		if t = packet.Be16(b[6:]); t >= packet.EtherTypeMin {
			k.EthType = t
			return pos + packet.SNAPLen
		}
	}
	return pos
}

func extractIPv4(b []byte, k *Key, o *Offsets) {
	if len(b) < packet.IPv4Len {
		return
	}
	h := packet.IPv4(b)
	hl, total := h.HeaderLen(), h.TotalLen()
	if hl < packet.IPv4Len || hl > total || total > len(b) {
		return
	}
	k.IPSrc, k.IPDst = h.Src(), h.Dst()
	k.NwTOS, k.NwTTL, k.NwProto = h.TOS(), h.TTL(), h.Proto()
	if off := h.FragOff(); off&(packet.IPv4MF|packet.IPv4OffMask) != 0 {
		k.NwFrag = FragAny
		if off&packet.IPv4OffMask != 0 {
			k.NwFrag |= FragLater
		}
	}
	o.Len = o.L3 + total
	o.L4 = o.L3 + hl
	if k.NwFrag&FragLater == 0 {
		extractL4(b[hl:total], k, o)
	}
}

// ipv6Chain is the outcome of a walk over extension headers.
type ipv6Chain struct {
	proto uint8
	frag  uint8
	pos   int
	ok    bool
}

// walkIPv6 skips the extension headers from pos on, as far as they can be
// understood. Of a later fragment the payload is unknown: its protocol is the
// fragment header's own.
func walkIPv6(b []byte, proto uint8, pos int) ipv6Chain {
	c := ipv6Chain{proto: proto, pos: pos}
	for {
		switch c.proto {
		default:
			c.ok = true
			return c
		case packet.ProtoHopOpts, packet.ProtoRouting, packet.ProtoDstOpts, packet.ProtoAH:
			if len(b) < c.pos+8 {
				return c
			}
			n := (int(b[c.pos+1]) + 1) * 8
			if c.proto == packet.ProtoAH {
				n = (int(b[c.pos+1]) + 2) * 4
			}
			if len(b) < c.pos+n {
				return c
			}
			c.proto = b[c.pos]
			c.pos += n
		case packet.ProtoFragment:
			if len(b) < c.pos+packet.FragLen {
				return c
			}
			next, off := b[c.pos], packet.Be16(b[c.pos+2:])
			c.pos += packet.FragLen
			if off&0xfff9 != 0 {
				c.frag = FragAny
				if off&0xfff8 != 0 {
					c.frag |= FragLater
					c.ok = true
					return c
				}
			}
			c.proto = next
		}
	}
}

// extractIPv6 reads an IPv6 header and what follows it. A packet whose extension
// headers are cut short has addresses and nothing else, as in Open vSwitch 3.1.
func extractIPv6(b []byte, k *Key, o *Offsets) {
	if len(b) < packet.IPv6Len {
		return
	}
	h := packet.IPv6(b)
	total := packet.IPv6Len + h.PayloadLen()
	if total > len(b) {
		return
	}
	b = b[:total]
	k.IPv6Src, k.IPv6Dst = h.Src(), h.Dst()
	c := walkIPv6(b, h.NextHeader(), packet.IPv6Len)
	if !c.ok {
		return
	}
	k.IPv6Label = h.FlowLabel()
	k.NwTOS, k.NwTTL, k.NwProto, k.NwFrag = h.TrafficClass(), h.HopLimit(), c.proto, c.frag
	o.Len = o.L3 + total
	o.L4 = o.L3 + c.pos
	if c.frag&FragLater == 0 {
		extractL4(b[c.pos:], k, o)
	}
}

func extractL4(b []byte, k *Key, o *Offsets) {
	switch k.NwProto {
	case packet.ProtoTCP:
		if len(b) < packet.TCPLen {
			return
		}
		n := packet.TCP(b).HeaderLen()
		if n < packet.TCPLen || n > len(b) {
			return
		}
		k.TpSrc, k.TpDst = packet.Be16(b), packet.Be16(b[2:])
		k.TCPFlags = packet.TCP(b).Flags()
		o.L7 = o.L4 + n
	case packet.ProtoUDP:
		if len(b) < packet.UDPLen {
			return
		}
		k.TpSrc, k.TpDst = packet.Be16(b), packet.Be16(b[2:])
		o.L7 = o.L4 + packet.UDPLen
	case packet.ProtoSCTP:
		if len(b) < packet.SCTPLen {
			return
		}
		k.TpSrc, k.TpDst = packet.Be16(b), packet.Be16(b[2:])
		o.L7 = o.L4 + packet.SCTPLen
	case packet.ProtoICMP, packet.ProtoIGMP:
		if k.EthType != packet.EtherTypeIPv4 || len(b) < packet.ICMPLen {
			return
		}
		k.TpSrc, k.TpDst = uint16(b[0]), uint16(b[1])
		o.L7 = o.L4 + packet.ICMPLen
	case packet.ProtoICMPv6:
		if k.EthType != packet.EtherTypeIPv6 || len(b) < packet.ICMPLen {
			return
		}
		k.TpSrc, k.TpDst = uint16(b[0]), uint16(b[1])
		o.L7 = o.L4 + packet.ICMPLen
		extractND(b, k)
	}
}

// extractND reads a neighbour solicitation or advertisement (RFC 4861, 4.3 and
// 4.4). A message with a malformed or repeated option counts as having no
// neighbour discovery fields at all.
func extractND(b []byte, k *Key) {
	if k.TpDst != 0 || k.TpSrc != packet.ICMPv6NeighborSolicit && k.TpSrc != packet.ICMPv6NeighborAdvert || len(b) < packet.ICMPLen+16 {
		return
	}
	var sll, tll packet.MAC
	var opt uint8
	for o := b[packet.ICMPLen+16:]; len(o) >= packet.NDOptLen; {
		n := int(o[1]) * 8
		if n == 0 || n > len(o) {
			return
		}
		switch {
		case o[0] == packet.NDOptSourceLinkAddress && n == 8 && k.TpSrc == packet.ICMPv6NeighborSolicit:
			if !sll.IsZero() {
				return
			}
			sll, opt = packet.MAC(o[2:8]), o[0]
		case o[0] == packet.NDOptTargetLinkAddress && n == 8 && k.TpSrc == packet.ICMPv6NeighborAdvert:
			if !tll.IsZero() {
				return
			}
			tll, opt = packet.MAC(o[2:8]), o[0]
		}
		o = o[n:]
	}
	k.NDReserved = packet.Be32(b[4:])
	copy(k.NDTarget[:], b[packet.ICMPLen:])
	k.ARPSHA, k.ARPTHA, k.NDOptionsType = sll, tll, opt
}

func extractARP(b []byte, k *Key) {
	if len(b) < packet.ARPLen || !packet.ARP(b).IsEthernetIPv4() {
		return
	}
	h := packet.ARP(b)
	k.IPSrc, k.IPDst = h.SPA(), h.TPA()
	if op := h.Op(); op <= 0xff {
		k.NwProto = uint8(op)
	}
	k.ARPSHA, k.ARPTHA = h.SHA(), h.THA()
}

func extractMPLS(b []byte, k *Key, o *Offsets) {
	o.L25 = o.L3
	for i := 0; len(b) >= packet.MPLSLen; i++ {
		lse := packet.Be32(b)
		if i < MaxMPLSLabels {
			k.MPLS[i] = lse
		}
		b = b[packet.MPLSLen:]
		o.L3 += packet.MPLSLen
		if lse&0x100 != 0 {
			return
		}
	}
	o.L3 = -1
}

func extractNSH(b []byte, k *Key) {
	if len(b) < 8 {
		return
	}
	n := int(b[1]&0x3f) * 4
	md := b[2] & 0xf
	if b[0]>>6 != 0 || n < 8 || n > len(b) || md == 1 && n != 24 || md != 1 && md != 2 {
		return
	}
	k.NSH.Flags = b[0] >> 4 & 3
	k.NSH.TTL = b[0]<<2&0x3c | b[1]>>6
	k.NSH.MDType, k.NSH.NP = md, b[3]
	k.NSH.PathHdr = packet.Be32(b[4:])
	if md == 1 {
		for i := range k.NSH.Context {
			k.NSH.Context[i] = packet.Be32(b[8+4*i:])
		}
	}
}
