package flow

import "weir/internal/packet"

// Shape is what matches of many flows have in common: their mask, and the values
// that prerequisites look at. Matches of one shape are about the same fields,
// and of those the same apply. The zero Shape is that of no match.
type Shape struct {
	mask  Mask
	facts shapeFacts
	taken bool
}

// shapeFacts are the values that prerequisites look at; see [Prereq].
type shapeFacts struct {
	packetType   uint32
	ethType, tci uint16
	proto        uint8
	frag, ct     uint8
	icmpType     uint16 // of ICMPv6 only, as the code
	icmpCode     uint16
}

func (m *Match) shapeFacts() shapeFacts {
	k := &m.Key
	f := shapeFacts{
		packetType: k.PacketType, ethType: k.EthType, tci: k.VLANs[0].TCI & VLANPresent, proto: k.NwProto, frag: k.NwFrag, ct: k.CTState,
	}
	if k.NwProto == packet.ProtoICMPv6 {
		f.icmpType, f.icmpCode = k.TpSrc, k.TpDst
	}
	return f
}

// Take makes s the shape of a match.
func (s *Shape) Take(m *Match) { s.mask, s.facts, s.taken = m.Mask, m.shapeFacts(), true }

// Is reports whether a match has the shape.
func (s *Shape) Is(m *Match) bool {
	return s.taken && s.facts == m.shapeFacts() && *s.mask.Words() == *m.Mask.Words()
}

// Fits reports whether a key has the values that the shape has of what
// prerequisites look at, so that with the shape's mask it has the shape.
func (s *Shape) Fits(m *Match) bool { return s.taken && s.facts == m.shapeFacts() }

// PutMask gives a match the shape's mask.
func (s *Shape) PutMask(m *Match) { m.Mask = s.mask }
