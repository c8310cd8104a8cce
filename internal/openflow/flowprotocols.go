package openflow

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// tableProtocols undoes what the table took away: requests for statistics have
// a table in every protocol.
func tableProtocols(fm *FlowMod) Protocol {
	p := MatchProtocols(&fm.Match)
	if fm.CookieMask != 0 {
		p &= PAnyNXM | P11 | PAnyOXM
	}
	if fm.OutGroup != GroupAny {
		p &= P11 | PAnyOXM
	}
	return p
}

// MatchProtocols are the protocols that can express m.
func MatchProtocols(m *Match) Protocol {
	w := &m.Mask
	p := PAny
	if w.PacketType != 0 && !m.HasDefaultPacketType() || w.TunMetaPresent != 0 {
		p &= PAnyNXM | PAnyOXM
	}
	partial := func(mac [6]byte) bool { return mac != [6]byte{} && mac != [6]byte{255, 255, 255, 255, 255, 255} }
	if partial(w.EthSrc) || partial(w.EthDst) {
		p &= PAnyNXM | P11 | PAnyOXM
	}
	for f := range flow.FieldsOf(w) {
		if !skipProtocols(f) {
			p &= fieldProtocols(f, m)
		}
	}
	return p & vlanProtocols(m)
}

// skipProtocols: fields that are other views of what is checked elsewhere.
func skipProtocols(f *flow.Field) bool {
	switch f.ID {
	case flow.FieldInPort, flow.FieldInPortOXM, flow.FieldPacketType, flow.FieldVLANTCI, flow.FieldDLVLAN,
		flow.FieldVLANVID, flow.FieldDLVLANPCP, flow.FieldVLANPCP, flow.FieldIPDSCP:
		return true
	}
	return false
}

func fieldProtocols(f *flow.Field, m *Match) Protocol {
	if !f.IsSaid(m) {
		return PAny // shares its place with a field of another protocol
	}
	if f.Prereq == flow.PrereqIPAny && m.Key.EthType == packet.EtherTypeIPv6 || f.ID >= flow.FieldTCPSrc && m.Key.EthType == packet.EtherTypeIPv6 {
		return PAnyNXM | PAnyOXM
	}
	if f.ID == flow.FieldSCTPSrc || f.ID == flow.FieldSCTPDst {
		if f.IsExact(&m.Mask) {
			return PAny
		}
		return PAnyNXM | PAnyOXM
	}
	nxm := PAnyNXM | PAnyOXM
	if len(f.Codepoints) == 0 && f.ID < flow.FieldEthSrc {
		return 0 // no message holds it
	}
	exact := f.IsExact(&m.Mask)
	ok := func(s flow.Support) bool {
		switch s {
		case flow.SupportBitwise:
			return true
		case flow.SupportCIDR:
			return isCIDR(f, m)
		case flow.SupportExact:
			return exact || f.ID == flow.FieldIPTOS && f.Get(&m.Mask).Lo == 0xfc
		}
		return false
	}
	if ok(f.In10) {
		nxm |= P10 | P10TID
	}
	if ok(f.In11) {
		nxm |= P11
	}
	return nxm
}

func isCIDR(f *flow.Field, m *Match) bool {
	mask := uint32(f.Get(&m.Mask).Lo)
	inv := ^mask
	return inv&(inv+1) == 0
}

func vlanProtocols(m *Match) Protocol {
	switch m.Mask.VLANs[0].TCI {
	case 0, 0xffff, 0x1fff:
		return PAny
	case 0xf000:
		if m.Key.VLANs[0].TCI&flow.VLANPresent != 0 {
			return PAny
		}
	}
	return PAnyNXM | PAnyOXM
}
