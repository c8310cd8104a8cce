package flow

import "weir/internal/packet"

// Prereq is what must hold of a packet for a field to be applicable
// (ovs-fields(7), "Prerequisites").
type Prereq uint8

// Prerequisites.
const (
	PrereqNone Prereq = iota
	PrereqEthernet
	PrereqVLAN
	PrereqARP
	PrereqIPv4
	PrereqIPv6
	PrereqIPAny
	PrereqMPLS
	PrereqNSH
	PrereqCT
	PrereqTCP
	PrereqUDP
	PrereqSCTP
	PrereqICMPv4
	PrereqICMPv6
	PrereqND
	PrereqNDSolicit
	PrereqNDAdvert
)

// facts are what prerequisites look at: the values, and whether each counts.
type facts struct {
	k *Key
	m *Mask // nil: everything counts
	// whole: headers that later fragments lack count, as if they were there.
	whole bool
}

// etherType is the EtherType, with the packet type standing in for it in
// packets without an Ethernet header.
func (a facts) etherType() (uint16, bool) {
	if a.k.PacketType>>16 == 1 && (a.m == nil || a.m.PacketType != 0) {
		return uint16(a.k.PacketType), true
	}
	return a.k.EthType, a.m == nil || a.m.EthType == 0xffff
}

// L3Type is the EtherType of what a packet carries: EthType, or where that is
// not said, as in the text of a flow without Ethernet, that of the packet type.
func (k *Key) L3Type() uint16 {
	if k.EthType == 0 && k.PacketType>>16 == 1 {
		return uint16(k.PacketType)
	}
	return k.EthType
}

func (a facts) isType(types ...uint16) bool {
	t, ok := a.etherType()
	if !ok {
		return false
	}
	for _, want := range types {
		if t == want {
			return true
		}
	}
	return false
}

func (a facts) isIP() bool { return a.isType(packet.EtherTypeIPv4, packet.EtherTypeIPv6) }

func (a facts) isProto(p uint8) bool {
	return a.k.NwProto == p && (a.m == nil || a.m.NwProto == 0xff)
}

// isL4: the first fragments of IP packets of a protocol hold its header.
func (a facts) isL4(p uint8) bool {
	if !a.isIP() || !a.isProto(p) {
		return false
	}
	return a.whole || a.k.NwFrag&FragLater == 0 || a.m != nil && a.m.NwFrag&FragLater == 0
}

func (a facts) isICMPv6(types ...uint16) bool {
	if !a.isType(packet.EtherTypeIPv6) || !a.isL4(packet.ProtoICMPv6) {
		return false
	}
	if len(types) == 0 {
		return true
	}
	// A match need not name the code, which neighbour discovery fixes at 0.
	if a.m != nil && a.m.TpSrc&0xff != 0xff || a.k.TpDst != 0 {
		return false
	}
	for _, t := range types {
		if a.k.TpSrc == t {
			return true
		}
	}
	return false
}

// isCT: whether the packet belongs to a known connection, whose original
// direction tuple then exists. A packet's state says so by any of ctKnown; a
// match asks for it by a bit that only known connections have, or by excluding
// invalid packets.
func (a facts) isCT() bool {
	if a.m == nil {
		return a.k.CTState&ctKnown != 0
	}
	return a.k.CTState&(ctKnown|CTRel|CTSNAT|CTDNAT) != 0 ||
		a.k.CTState&CTTrk != 0 && a.m.CTState&CTInv != 0 && a.k.CTState&CTInv == 0
}

// ctKnown are the states one of which every packet of a known connection has.
const ctKnown = CTNew | CTEst | CTRpl

func (p Prereq) holds(a facts) bool {
	switch p {
	case PrereqEthernet:
		return a.k.PacketType == 0
	case PrereqVLAN:
		return a.k.PacketType == 0 && a.k.VLANs[0].TCI&VLANPresent != 0 &&
			(a.m == nil || a.m.VLANs[0].TCI&VLANPresent != 0)
	case PrereqARP:
		return a.isType(packet.EtherTypeARP, packet.EtherTypeRARP)
	case PrereqIPv4:
		return a.isType(packet.EtherTypeIPv4)
	case PrereqIPv6:
		return a.isType(packet.EtherTypeIPv6)
	case PrereqIPAny:
		return a.isIP()
	case PrereqMPLS:
		return a.isType(packet.EtherTypeMPLS, packet.EtherTypeMPLSM)
	case PrereqNSH:
		return a.isType(packet.EtherTypeNSH)
	case PrereqCT:
		return a.isCT()
	case PrereqTCP:
		return a.isL4(packet.ProtoTCP)
	case PrereqUDP:
		return a.isL4(packet.ProtoUDP)
	case PrereqSCTP:
		return a.isL4(packet.ProtoSCTP)
	case PrereqICMPv4:
		return a.isType(packet.EtherTypeIPv4) && a.isL4(packet.ProtoICMP)
	case PrereqICMPv6:
		return a.isICMPv6()
	case PrereqND:
		return a.isICMPv6(packet.ICMPv6NeighborSolicit, packet.ICMPv6NeighborAdvert)
	case PrereqNDSolicit:
		return a.isICMPv6(packet.ICMPv6NeighborSolicit)
	case PrereqNDAdvert:
		return a.isICMPv6(packet.ICMPv6NeighborAdvert)
	}
	return true
}

// Applies reports whether packets with this key have the field.
func (f *Field) Applies(k *Key) bool { return f.Prereq.holds(facts{k: k}) }

// AppliesTo reports whether every packet that m matches has the field.
func (f *Field) AppliesTo(m *Match) bool { return f.Prereq.holds(facts{k: &m.Key, m: &m.Mask}) }

// IsSaid reports whether m says the field in messages: that it lacks a known
// connection, NSH or a first fragment is for the receiver to refuse, so that
// the match isn't made a wider one in silence. Of other headers,
// [Match.Normalize] tells.
func (f *Field) IsSaid(m *Match) bool {
	switch f.Prereq {
	case PrereqNone, PrereqEthernet, PrereqCT, PrereqNSH:
		return true
	}
	return f.Prereq.holds(facts{k: &m.Key, m: &m.Mask, whole: true})
}

// MarkPrereqs ors into a mask the bits that a look at the field's
// prerequisites depends on.
func (f *Field) MarkPrereqs(m *Mask) {
	switch f.Prereq {
	case PrereqNone:
	case PrereqEthernet:
	case PrereqVLAN:
		m.VLANs[0].TCI |= VLANPresent
	case PrereqARP, PrereqIPv4, PrereqIPv6, PrereqIPAny, PrereqMPLS, PrereqNSH:
		m.EthType = 0xffff
	case PrereqCT:
		m.CTState |= ctKnown
	case PrereqND, PrereqNDSolicit, PrereqNDAdvert:
		m.TpSrc, m.TpDst = 0xffff, 0xffff
		fallthrough
	default:
		m.EthType = 0xffff
		m.NwProto = 0xff
		m.NwFrag |= FragLater
	}
}
