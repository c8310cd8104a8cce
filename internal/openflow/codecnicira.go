package openflow

import (
	"net/netip"

	"weir/internal/packet"
)

// Codecs of the Nicira vendor messages that have no standard counterpart.

func decFlowModTableID(d *decoder) Message {
	m := &FlowModTableID{Set: d.u8() != 0}
	d.skip(7)
	return m
}

func decSetFlowFormat(d *decoder) Message {
	f := d.u32()
	if f != 0 && f != 2 {
		d.fail(ErrBRCEPerm)
	}
	return &SetFlowFormat{NXM: f == 2}
}

func decSetPacketInFormat(d *decoder) Message {
	f := d.u32()
	if f > uint32(PacketInNXT2) {
		d.fail(ErrBRCEPerm)
	}
	return &SetPacketInFormat{Format: PacketInFormat(f)}
}

func decSetControllerID(d *decoder) Message {
	d.zeros(6, ErrNXBRCMustBeZero)
	return &SetControllerID{ID: d.u16()}
}

func (e *encoder) encodeSwitches(m Message) {
	switch m := m.(type) {
	case *FlowModTableID:
		e.start("NXT_FLOW_MOD_TABLE_ID")
		e.u8(b2u(m.Set))
		e.pad(7)
	case *SetFlowFormat:
		e.start("NXT_SET_FLOW_FORMAT")
		e.u32(uint32(b2u(m.NXM)) * 2)
	case *SetPacketInFormat:
		e.start("NXT_SET_PACKET_IN_FORMAT")
		e.u32(uint32(m.Format))
	case *SetControllerID:
		e.start("NXT_SET_CONTROLLER_ID")
		e.pad(6)
		e.u16(m.ID)
	case *CTFlushZone:
		e.start("NXT_CT_FLUSH_ZONE")
		e.pad(6)
		e.u16(m.Zone)
	}
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (c *cursor) tlvMaps() []TLVMap {
	var out []TLVMap
	for c.left() > 0 && c.err == nil {
		t := TLVMap{Class: c.u16(), Type: c.u8(), Len: c.u8(), Index: c.u16()}
		c.skip(2)
		if t.Len%4 != 0 || t.Len > 124 {
			c.fail(ErrNXTTMFCBadOptLen)
		}
		if t.Index >= 64 {
			c.fail(ErrNXTTMFCBadFieldIdx)
		}
		out = append(out, t)
	}
	return out
}

func (w *buf) tlvMaps(ms []TLVMap) {
	for _, t := range ms {
		w.u16(t.Class)
		w.u8(t.Type)
		w.u8(t.Len)
		w.u16(t.Index)
		w.pad(2)
	}
}

func decTLVTableMod(d *decoder) Message {
	m := &TLVTableMod{Command: TLVCommand(d.u16())}
	if m.Command > TLVClear {
		d.fail(ErrNXTTMFCBadCommand)
	}
	d.skip(6)
	m.Maps = d.tlvMaps()
	return m
}

func (e *encoder) encodeTLVMod(m *TLVTableMod) {
	e.start("NXT_TLV_TABLE_MOD")
	e.u16(uint16(m.Command))
	e.pad(6)
	e.tlvMaps(m.Maps)
}

func decTLVTableReply(d *decoder) Message {
	m := &TLVTableReply{MaxSpace: d.u32(), MaxFields: d.u16()}
	d.skip(10)
	m.Maps = d.tlvMaps()
	return m
}

func (e *encoder) encodeTLVReply(m *TLVTableReply) {
	e.start("NXT_TLV_TABLE_REPLY")
	e.u32(m.MaxSpace)
	e.u16(m.MaxFields)
	e.pad(10)
	e.tlvMaps(m.Maps)
}

func decCTFlushZone(d *decoder) Message {
	d.zeros(6, ErrNXBRCMustBeZero)
	return &CTFlushZone{Zone: d.u16()}
}

// Properties of NXT_CT_FLUSH and of its tuples.
const (
	ctPropOrig       = 0
	ctPropReply      = 1
	ctPropZone       = 2
	ctPropMark       = 3
	ctPropMarkMask   = 4
	ctPropLabels     = 5
	ctPropLabelsMask = 6

	ctTupleSrc      = 0
	ctTupleDst      = 1
	ctTupleSrcPort  = 2
	ctTupleDstPort  = 3
	ctTupleICMPID   = 4
	ctTupleICMPType = 5
	ctTupleICMPCode = 6
)

func decCTFlush(d *decoder) Message {
	m := &CTFlush{IPProto: d.u8()}
	d.zeros(7, ErrNXBRCMustBeZero)
	for d.left() > 0 && d.err == nil {
		t, _, b := d.prop()
		switch t {
		case ctPropOrig:
			m.Orig = decCTTuple(&b)
		case ctPropReply:
			m.Reply = decCTTuple(&b)
		case ctPropZone:
			m.Zone, m.HaveZone = b.u16(), true
			b.skip(min(2, b.left()))
		case ctPropMark:
			m.Mark = b.u32()
		case ctPropMarkMask:
			m.MarkMask = b.u32()
		case ctPropLabels:
			copy(m.Labels[:], b.bytes(16))
		case ctPropLabelsMask:
			copy(m.LabelsMask[:], b.bytes(16))
		default:
			d.fail(ErrBPCBadType)
		}
		d.endProp(&b)
	}
	if !m.OneFamily() {
		d.fail(ErrBPCBadValue)
	}
	return m
}

// OneFamily reports whether the addresses that are given are all of IPv4 or
// all of IPv6.
func (m *CTFlush) OneFamily() bool {
	var v4, v6 bool
	for _, a := range [][16]byte{m.Orig.Src, m.Orig.Dst, m.Reply.Src, m.Reply.Dst} {
		if a != [16]byte{} {
			is4 := netip.AddrFrom16(a).Is4In6()
			v4, v6 = v4 || is4, v6 || !is4
		}
	}
	return !v4 || !v6
}

func decCTTuple(c *cursor) CTTuple {
	var t CTTuple
	c.skip(4)
	for c.left() > 0 && c.err == nil {
		typ, _, b := c.prop()
		switch typ {
		case ctTupleSrc:
			copy(t.Src[:], b.bytes(16))
		case ctTupleDst:
			copy(t.Dst[:], b.bytes(16))
		case ctTupleSrcPort:
			t.SrcPort = b.u16()
			b.skip(min(2, b.left()))
		case ctTupleDstPort:
			t.DstPort = b.u16()
			b.skip(min(2, b.left()))
		case ctTupleICMPID:
			t.ICMPID = b.u16()
			b.skip(min(2, b.left()))
		case ctTupleICMPType:
			t.ICMPType, t.HaveICMPType = b.u8(), true
			b.skip(min(3, b.left()))
		case ctTupleICMPCode:
			t.ICMPCode, t.HaveICMPCode = b.u8(), true
			b.skip(min(3, b.left()))
		default:
			c.fail(ErrBPCBadType)
		}
		c.endProp(&b)
	}
	return t
}

func (e *encoder) encodeCTFlush(m *CTFlush) {
	e.start("NXT_CT_FLUSH")
	e.u8(m.IPProto)
	e.pad(7)
	icmp := m.IPProto == packet.ProtoICMP || m.IPProto == packet.ProtoICMPv6
	for i, t := range []*CTTuple{&m.Orig, &m.Reply} {
		if *t != (CTTuple{}) || icmp {
			p := e.propStart(uint16(i))
			e.pad(4)
			e.ctTuple(t, icmp)
			e.propEnd(p)
		}
	}
	if m.HaveZone {
		e.prop16(ctPropZone, m.Zone)
	}
	if m.MarkMask != 0 {
		for i, v := range []uint32{m.Mark, m.MarkMask} {
			p := e.propStart(uint16(ctPropMark + i))
			e.u32(v)
			e.propEnd(p)
		}
	}
	if m.LabelsMask != [16]byte{} {
		e.prop128(ctPropLabels, m.Labels)
		e.prop128(ctPropLabelsMask, m.LabelsMask)
	}
}

func (w *buf) prop16(typ, v uint16) {
	p := w.propStart(typ)
	w.u16(v)
	w.pad(2) // counted in the length
	w.propEnd(p)
}

func (w *buf) prop128(typ uint16, v [16]byte) {
	p := w.propStart(typ)
	w.bytes(v[:])
	w.propEnd(p)
}

// ctTuple writes what a tuple says; of ICMP always all of it.
func (w *buf) ctTuple(t *CTTuple, icmp bool) {
	if t.Src != [16]byte{} {
		w.prop128(ctTupleSrc, t.Src)
	}
	if t.Dst != [16]byte{} {
		w.prop128(ctTupleDst, t.Dst)
	}
	for i, v := range []uint16{t.SrcPort, t.DstPort, t.ICMPID} {
		if v != 0 || icmp && i == 2 {
			w.prop16(uint16(ctTupleSrcPort+i), v)
		}
	}
	for i, v := range []struct {
		have bool
		v    uint8
	}{{t.HaveICMPType, t.ICMPType}, {t.HaveICMPCode, t.ICMPCode}} {
		if v.have || icmp {
			p := w.propStart(uint16(ctTupleICMPType + i))
			w.u8(v.v)
			w.propEnd(p)
		}
	}
}

func decIPFIXReply(d *decoder) Message {
	m := &IPFIXStatsReply{Flow: d.row.name() == "NXST_IPFIX_FLOW_REPLY"}
	for d.left() > 0 && d.err == nil {
		var s IPFIXStats
		d.u64s(s.counters())
		s.CollectorSetID = d.u32()
		d.skip(4)
		m.Stats = append(m.Stats, s)
	}
	return m
}

// counters lists the counters in their order on the wire.
func (s *IPFIXStats) counters() []*uint64 {
	return []*uint64{
		&s.TotalFlows, &s.CurrentFlows, &s.Packets, &s.IPv4Packets, &s.IPv6Packets, &s.ErrorPackets,
		&s.IPv4ErrorPackets, &s.IPv6ErrorPkts, &s.TxPackets, &s.TxErrors,
	}
}

func (e *encoder) encodeIPFIX(m *IPFIXStatsReply) {
	if m.Flow {
		e.start("NXST_IPFIX_FLOW_REPLY")
	} else {
		e.start("NXST_IPFIX_BRIDGE_REPLY")
	}
	for i := range m.Stats {
		e.u64s(m.Stats[i].counters())
		e.u32(m.Stats[i].CollectorSetID)
		e.pad(4)
		e.endEntry()
	}
}
