package openflow

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// Codecs of the fixed matches of OpenFlow 1.0 (5.2.3) and 1.1 (A.2.3).

// Wildcard bits of OpenFlow 1.0 that are not in wild10's table.
const (
	w10SrcShift = 8
	w10DstShift = 14
)

// wildcard10 is what of the wildcards of OpenFlow 1.0 belongs to a field: one bit;
// where cidr, the highest of a count of address bits.
type wildcard10 struct {
	bit   uint32
	field flow.FieldID
	cidr  bool
}

// all is all bits of the field: of an address, those of the whole count.
func (w wildcard10) all() uint32 {
	if w.cidr {
		return 2*w.bit - w.bit>>5 // six bits
	}
	return w.bit
}

// wild10 ties the wildcard bits of OpenFlow 1.0 to fields.
var wild10 = []wildcard10{
	{1 << 0, flow.FieldInPort, false},
	{1 << 1, flow.FieldVLANVID, false},
	{1 << 2, flow.FieldEthSrc, false},
	{1 << 3, flow.FieldEthDst, false},
	{1 << 4, flow.FieldEthType, false},
	{1 << 5, flow.FieldIPProto, false},
	{1 << 6, flow.FieldTCPSrc, false},
	{1 << 7, flow.FieldTCPDst, false},
	{32 << w10SrcShift, flow.FieldIPv4Src, true},
	{32 << w10DstShift, flow.FieldIPv4Dst, true},
	{1 << 20, flow.FieldVLANPCP, false},
	{1 << 21, flow.FieldIPTOS, false},
}

// fields10 is what a table of OpenFlow 1.0 can match, and the wildcards of it.
func fields10(wild uint32) (match, wildcard FieldSet) {
	for _, r := range wild10 {
		match.Add(uint16(r.field))
		if wild&r.bit != 0 {
			wildcard.Add(uint16(r.field))
		}
	}
	return match, wildcard
}

// exact10 reports whether the ofp10_match at b has no wildcards: such flows have
// the highest priority, whatever the message says (OpenFlow 1.0, 3.4).
func exact10(b []byte) bool {
	c := cursor{b: b}
	w := c.u32()
	return w&(1<<22-1)&^(31<<w10SrcShift|31<<w10DstShift) == 0 && w>>w10SrcShift&31 == 0 && w>>w10DstShift&31 == 0
}

func (d *decoder) match10() Match {
	d.exact10 = exact10(d.b[min(d.off, len(d.b)):])
	wild := d.u32()
	inPort := Port10(d.u16())
	src, dst := d.mac(), d.mac()
	vlan, pcp := d.u16(), d.u8()
	d.skip(1)
	ethType, tos, proto := d.u16(), d.u8(), d.u8()
	d.skip(2)
	ipSrc, ipDst := d.u32(), d.u32()
	tpSrc, tpDst := d.u16(), d.u16()
	var m Match
	if d.err != nil {
		return m
	}
	k, w := &m.Key, &m.Mask
	if wild&(1<<0) == 0 {
		k.InPort, w.InPort = uint32(inPort), 0xffffffff
	}
	if wild&(1<<2) == 0 {
		k.EthSrc, w.EthSrc = src, packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if wild&(1<<3) == 0 {
		k.EthDst, w.EthDst = dst, packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if wild&(1<<4) == 0 {
		k.EthType, w.EthType = ethType, 0xffff
	}
	if wild&(1<<5) == 0 {
		k.NwProto, w.NwProto = proto, 0xff
	}
	if wild&(1<<6) == 0 {
		k.TpSrc, w.TpSrc = tpSrc, 0xffff
	}
	if wild&(1<<7) == 0 {
		k.TpDst, w.TpDst = tpDst, 0xffff
	}
	if wild&(1<<21) == 0 {
		k.NwTOS, w.NwTOS = tos&0xfc, 0xfc
	}
	w.IPSrc, w.IPDst = cidrMask(wild>>w10SrcShift&63), cidrMask(wild>>w10DstShift&63)
	k.IPSrc, k.IPDst = ipSrc&w.IPSrc, ipDst&w.IPDst
	k.VLANs[0].TCI, w.VLANs[0].TCI = vlan10(vlan, pcp, wild&(1<<1) != 0, wild&(1<<20) != 0)
	m.CompletePacketType()
	return m
}

func cidrMask(wildBits uint32) uint32 {
	if wildBits >= 32 {
		return 0
	}
	return ^uint32(0) << wildBits
}

// vlan10 folds the VLAN members of a fixed match to a TCI and its mask.
func vlan10(vid uint16, pcp uint8, anyVID, anyPCP bool) (tci, mask uint16) {
	prio := uint16(pcp&7) << 13
	switch {
	case anyVID && anyPCP:
		return 0, 0
	case anyVID:
		return prio | flow.VLANPresent, 0xe000 | flow.VLANPresent
	case vid == 0xffff:
		return 0, 0xffff
	case anyPCP:
		return vid&0xfff | flow.VLANPresent, 0x1fff
	}
	return vid&0xfff | prio | flow.VLANPresent, 0xffff
}

// vlanTo10 is the inverse of vlan10.
func vlanTo10(tci, mask uint16) (vid uint16, pcp uint8, anyVID, anyPCP bool) {
	if mask == 0 {
		return 0, 0, true, true
	}
	if mask&flow.VLANPresent != 0 && tci&flow.VLANPresent == 0 {
		return 0xffff, 0, false, false
	}
	anyVID, anyPCP = mask&0xfff == 0, mask>>13 == 0
	if !anyVID {
		vid = tci & 0xfff
	}
	if !anyPCP {
		pcp = uint8(tci >> 13)
	}
	return vid, pcp, anyVID, anyPCP
}

func (e *encoder) match10(m *Match) {
	k, w := &m.Key, &m.Mask
	var wild uint32
	set := func(bit uint32, isWild bool) bool {
		if isWild {
			wild |= bit
		}
		return !isWild
	}
	set(1<<0, w.InPort == 0)
	set(1<<2, w.EthSrc == packet.MAC{})
	set(1<<3, w.EthDst == packet.MAC{})
	set(1<<4, w.EthType == 0)
	set(1<<5, w.NwProto == 0)
	set(1<<6, w.TpSrc == 0)
	set(1<<7, w.TpDst == 0)
	set(1<<21, w.NwTOS&0xfc == 0)
	wild |= cidrBits(w.IPSrc)<<w10SrcShift | cidrBits(w.IPDst)<<w10DstShift
	vid, pcp, anyVID, anyPCP := vlanTo10(k.VLANs[0].TCI, w.VLANs[0].TCI)
	set(1<<1, anyVID)
	set(1<<20, anyPCP)
	e.u32(wild)
	e.u16(PortNo(k.InPort).To10())
	e.bytes(k.EthSrc[:])
	e.bytes(k.EthDst[:])
	e.u16(vid)
	e.u8(pcp)
	e.pad(1)
	e.u16(k.EthType)
	e.u8(k.NwTOS & 0xfc)
	e.u8(k.NwProto)
	e.pad(2)
	e.u32(k.IPSrc)
	e.u32(k.IPDst)
	e.u16(k.TpSrc)
	e.u16(k.TpDst)
}

// cidrBits is the number of wildcarded low bits.
func cidrBits(mask uint32) uint32 {
	n := uint32(0)
	for ; n < 32 && mask&1 == 0; n++ {
		mask >>= 1
	}
	return n
}

// Wildcard bits of OpenFlow 1.1.
const (
	w11InPort = 1 << iota
	w11DLVLAN
	w11DLVLANPCP
	w11DLType
	w11NwTOS
	w11NwProto
	w11TpSrc
	w11TpDst
	w11MPLSLabel
	w11MPLSTC
	w11All = 1<<10 - 1
)

// match11Fields lists the fields of ofp11_match with the bits of table
// statistics of OpenFlow 1.1 (OFPFMF11_*).
var match11Fields = []struct {
	bit   uint32
	field flow.FieldID
}{
	{1 << 0, flow.FieldInPort}, {1 << 1, flow.FieldVLANVID}, {1 << 2, flow.FieldVLANPCP}, {1 << 3, flow.FieldEthType},
	{1 << 4, flow.FieldIPTOS}, {1 << 5, flow.FieldIPProto}, {1 << 6, flow.FieldTCPSrc}, {1 << 7, flow.FieldTCPDst},
	{1 << 8, flow.FieldMPLSLabel}, {1 << 9, flow.FieldMPLSTC}, {1 << 10, flow.FieldEthType},
	{1 << 11, flow.FieldEthSrc}, {1 << 12, flow.FieldEthDst}, {1 << 13, flow.FieldIPv4Src}, {1 << 14, flow.FieldIPv4Dst},
	{1 << 15, flow.FieldMetadata},
}

func fields11(b uint32) (s FieldSet) {
	for _, r := range match11Fields {
		if b&r.bit != 0 {
			s.Add(uint16(r.field))
		}
	}
	return s
}

func bits11(s *FieldSet) (b uint32) {
	for _, r := range match11Fields {
		if s.Has(uint16(r.field)) {
			b |= r.bit
		}
	}
	return b
}

// matchStd11 reads the fixed match of OpenFlow 1.1 after its type and length.
func (d *decoder) matchStd11() Match {
	inPort := d.u32()
	wild := d.u32()
	var m Match
	k, w := &m.Key, &m.Mask
	k.EthSrc, w.EthSrc = maskedMAC(d.mac(), d.mac())
	k.EthDst, w.EthDst = maskedMAC(d.mac(), d.mac())
	vlan, pcp := d.u16(), d.u8()
	d.skip(1)
	ethType, tos, proto := d.u16(), d.u8(), d.u8()
	k.IPSrc, w.IPSrc = d.u32(), ^d.u32()
	k.IPDst, w.IPDst = d.u32(), ^d.u32()
	tpSrc, tpDst := d.u16(), d.u16()
	mplsLabel, mplsTC := d.u32(), d.u8()
	d.skip(3)
	k.Metadata, w.Metadata = d.u64(), ^d.u64()
	if d.err != nil {
		return Match{}
	}
	if wild&w11InPort == 0 {
		if inPort > 0xfeff && inPort < uint32(PortMax) {
			d.logf("ofp_port", true, sprintf("port %d is outside the supported range 0 through %d or 0x%x through 0xffffffff",
				inPort, 0xfeff, uint32(PortMax)))
			d.fail(ErrBMCBadValue)
		}
		k.InPort, w.InPort = inPort, 0xffffffff
	}
	d.vlan11(&m, vlan, pcp, wild)
	if wild&w11DLType == 0 {
		k.EthType, w.EthType = ethType, 0xffff
	}
	d.l3std11(&m, wild, tos, proto)
	d.l4std11(&m, wild, tpSrc, tpDst)
	if ethType == packet.EtherTypeMPLS || ethType == packet.EtherTypeMPLSM {
		if wild&w11MPLSLabel == 0 {
			m.SetExact(flow.FieldMPLSLabel.Field(), flow.V(uint64(mplsLabel)))
		}
		if wild&w11MPLSTC == 0 {
			m.SetExact(flow.FieldMPLSTC.Field(), flow.V(uint64(mplsTC)))
		}
	}
	m.CompletePacketType()
	m.ZeroWild()
	return m
}

func maskedMAC(v, inverse [6]byte) (a, mask packet.MAC) {
	for i := range v {
		mask[i] = ^inverse[i]
		a[i] = v[i] & mask[i]
	}
	return a, mask
}

func (d *decoder) vlan11(m *Match, vlan uint16, pcp uint8, wild uint32) {
	tci, mask := &m.Key.VLANs[0].TCI, &m.Mask.VLANs[0].TCI
	if wild&w11DLVLAN != 0 {
		return
	}
	switch {
	case vlan == 0xffff:
		*tci, *mask = 0, 0xffff
		return
	case vlan == 0xfffe:
		*tci, *mask = flow.VLANPresent, flow.VLANPresent
	case vlan < 0x1000:
		*tci, *mask = vlan|flow.VLANPresent, 0x1fff
	default:
		d.fail(ErrBMCBadValue)
		return
	}
	if wild&w11DLVLANPCP == 0 {
		if pcp > 7 {
			d.fail(ErrBMCBadValue)
			return
		}
		*tci |= uint16(pcp) << 13
		*mask |= 0xe000
	}
}

func (d *decoder) l3std11(m *Match, wild uint32, tos, proto uint8) {
	k, w := &m.Key, &m.Mask
	ip, arp := k.EthType == packet.EtherTypeIPv4, k.EthType == packet.EtherTypeARP
	if wild&w11DLType != 0 {
		ip, arp = false, false
	}
	if !ip && !arp {
		k.IPSrc, k.IPDst, w.IPSrc, w.IPDst = 0, 0, 0, 0
		return
	}
	if ip && wild&w11NwTOS == 0 {
		if tos&^0xfc != 0 {
			d.fail(ErrBMCBadValue)
		}
		k.NwTOS, w.NwTOS = tos, 0xfc
	}
	if wild&w11NwProto == 0 {
		k.NwProto, w.NwProto = proto, 0xff
	}
}

func (d *decoder) l4std11(m *Match, wild uint32, src, dst uint16) {
	k, w := &m.Key, &m.Mask
	if w.EthType == 0 || k.EthType != packet.EtherTypeIPv4 || w.NwProto == 0 {
		return
	}
	switch k.NwProto {
	case packet.ProtoICMP:
		if wild&w11TpSrc == 0 && src > 0xff || wild&w11TpDst == 0 && dst > 0xff {
			d.fail(ErrBMCBadField)
		}
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP:
	default:
		return
	}
	if wild&w11TpSrc == 0 {
		k.TpSrc, w.TpSrc = src, 0xffff
	}
	if wild&w11TpDst == 0 {
		k.TpDst, w.TpDst = dst, 0xffff
	}
}

// matchStd11 writes the fixed match of OpenFlow 1.1.
func (e *encoder) matchStd11(m *Match) {
	k, w := &m.Key, &m.Mask
	var wild uint32
	set := func(bit uint32, isWild bool) {
		if isWild {
			wild |= bit
		}
	}
	set(w11InPort, w.InPort == 0)
	set(w11DLType, w.EthType == 0)
	set(w11NwTOS, w.NwTOS&0xfc == 0)
	set(w11NwProto, w.NwProto == 0)
	set(w11TpSrc, w.TpSrc == 0)
	set(w11TpDst, w.TpDst == 0)
	label, tc := flow.FieldMPLSLabel.Field(), flow.FieldMPLSTC.Field()
	set(w11MPLSLabel, label.IsWild(w))
	set(w11MPLSTC, tc.IsWild(w))
	vlan, pcp, wildVLAN := vlanStd11(k.VLANs[0].TCI, w.VLANs[0].TCI)
	wild |= wildVLAN
	e.u16(0)
	e.u16(88)
	e.u32(k.InPort)
	e.u32(wild)
	e.bytes(k.EthSrc[:])
	e.bytes(inverseMAC(w.EthSrc))
	e.bytes(k.EthDst[:])
	e.bytes(inverseMAC(w.EthDst))
	e.u16(vlan)
	e.u8(pcp)
	e.pad(1)
	e.u16(k.EthType)
	e.u8(k.NwTOS & 0xfc)
	e.u8(k.NwProto)
	e.u32(k.IPSrc)
	e.u32(^w.IPSrc)
	e.u32(k.IPDst)
	e.u32(^w.IPDst)
	e.u16(k.TpSrc)
	e.u16(k.TpDst)
	e.u32(uint32(label.Get(k).Lo))
	e.u8(uint8(tc.Get(k).Lo))
	e.pad(3)
	e.u64(k.Metadata)
	e.u64(^w.Metadata)
}

// vlanStd11 is a TCI and its mask in the fixed match of OpenFlow 1.1, with the bits of
// what isn't matched.
func vlanStd11(tci, mask uint16) (vlan uint16, pcp uint8, wild uint32) {
	switch {
	case mask == 0:
		return 0, 0, w11DLVLAN | w11DLVLANPCP
	case mask&flow.VLANPresent != 0 && tci&flow.VLANPresent == 0:
		return 0xffff, 0, w11DLVLANPCP // no tag
	}
	vlan = 0xfffe // any tag
	if mask&0xfff != 0 {
		vlan = tci & 0xfff
	}
	if mask>>13 == 0 {
		wild = w11DLVLANPCP
	}
	return vlan, uint8(tci >> 13 & (mask >> 13)), wild
}

func inverseMAC(m packet.MAC) []byte {
	for i := range m {
		m[i] = ^m[i]
	}
	return m[:]
}
