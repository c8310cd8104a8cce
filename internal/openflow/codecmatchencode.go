package openflow

import "weir/internal/flow"

// Encoding of NXM and OXM matches (OpenFlow 1.2, A.2.3; ovs-fields(7)).

// wireRank has the place, from 1, of each field in the order in which Open
// vSwitch writes a match; 0: the field is not written. NXM has vlan_tci where
// OXM has vlan_vid and vlan_pcp.
var wireRank = func() [flow.NumFields]uint16 {
	ids := []flow.FieldID{
		flow.FieldDPHash, flow.FieldRecircID, flow.FieldConjID, flow.FieldPacketType,
		flow.FieldInPort, flow.FieldActsetOutput,
		flow.FieldEthSrc, flow.FieldEthDst, flow.FieldEthType, flow.FieldVLANTCI,
		flow.FieldMPLSLabel, flow.FieldMPLSTC, flow.FieldMPLSTTL, flow.FieldMPLSBOS,
		flow.FieldIPv4Src, flow.FieldIPv4Dst, flow.FieldIPv6Src, flow.FieldIPv6Dst,
		flow.FieldIPFrag, flow.FieldIPDSCP, flow.FieldIPECN, flow.FieldIPTTL, flow.FieldIPv6Label, flow.FieldIPProto,
		flow.FieldTCPSrc, flow.FieldTCPDst, flow.FieldTCPFlags,
		flow.FieldUDPSrc, flow.FieldUDPDst, flow.FieldSCTPSrc, flow.FieldSCTPDst,
		flow.FieldICMPv4Type, flow.FieldICMPv4Code, flow.FieldICMPv6Type, flow.FieldICMPv6Code,
		flow.FieldNDTarget, flow.FieldNDSLL, flow.FieldNDTLL, flow.FieldNDReserved, flow.FieldNDOptionsType,
		flow.FieldARPOp, flow.FieldARPSPA, flow.FieldARPTPA, flow.FieldARPSHA, flow.FieldARPTHA,
		flow.FieldTunID, flow.FieldTunSrc, flow.FieldTunDst, flow.FieldTunIPv6Src, flow.FieldTunIPv6Dst,
		flow.FieldTunGBPID, flow.FieldTunGBPFlags, flow.FieldTunERSPANVer, flow.FieldTunERSPANIdx,
		flow.FieldTunERSPANDir, flow.FieldTunERSPANHwid, flow.FieldTunGTPUFlags, flow.FieldTunGTPUMsgType,
		flow.FieldTunFlags,
	}
	for i := range flow.FieldID(flow.NumTunMeta) {
		ids = append(ids, flow.FieldTunMetadata0+i)
	}
	ids = append(ids, flow.FieldNSHFlags, flow.FieldNSHTTL, flow.FieldNSHMDType, flow.FieldNSHNP, flow.FieldNSHSPI, flow.FieldNSHSI,
		flow.FieldNSHC1, flow.FieldNSHC1+1, flow.FieldNSHC1+2, flow.FieldNSHC1+3)
	for i := range flow.FieldID(flow.NumRegs) {
		ids = append(ids, flow.FieldReg0+i)
	}
	ids = append(ids, flow.FieldPktMark, flow.FieldCTState, flow.FieldCTZone, flow.FieldCTMark, flow.FieldCTLabel,
		flow.FieldCTNwSrc, flow.FieldCTNwDst, flow.FieldCTIPv6Src, flow.FieldCTIPv6Dst, flow.FieldCTNwProto,
		flow.FieldCTTpSrc, flow.FieldCTTpDst, flow.FieldMetadata)
	var rank [flow.NumFields]uint16
	for i, id := range ids {
		rank[id] = uint16(i + 1)
	}
	return rank
}()

// fieldsOnWire lists the fields of which m covers a bit in the order of the
// wire.
func fieldsOnWire(m *flow.Mask, out []*flow.Field) []*flow.Field {
	for f := range flow.FieldsOf(m) {
		rank := wireRank[f.ID]
		if rank == 0 {
			continue
		}
		i := len(out)
		out = append(out, nil)
		for ; i > 0 && wireRank[out[i-1].ID] > rank; i-- {
			out[i] = out[i-1]
		}
		out[i] = f
	}
	return out
}

// nxFields writes the fields of m. v chooses NXM (V10, V11) or OXM headers.
func (w *buf) nxFields(m *Match, v Version) {
	if p := w.plan; p != nil {
		if !p.is(w, m, v) {
			p.prepare(w, m, v)
		}
		if !p.odd {
			p.write(w, m)
			return
		}
	}
	w.writeFields(m, v)
}

// writeFields is nxFields without a plan.
func (w *buf) writeFields(m *Match, v Version) {
	if m.Mask.PacketType != 0 && (!m.HasDefaultPacketType() || w.typeToo && !m.ImpliesEthernet()) {
		w.oxmField(flow.FieldPacketType.Field(), m, v)
	}
	var room [24]*flow.Field
	options := m.Mask.TunMetaPresent != 0
	for _, f := range fieldsOnWire(&m.Mask, room[:0]) {
		if options && wireRank[f.ID] > wireRank[flow.FieldTunMetadata0] {
			w.nxOptions(m, v)
			options = false
		}
		switch f.ID {
		case flow.FieldPacketType:
			continue
		case flow.FieldVLANTCI:
			if v >= V12 {
				w.oxmVLAN(m, v)
				continue
			}
		case flow.FieldInPort:
			if v >= V12 {
				f = flow.FieldInPortOXM.Field()
			}
		case flow.FieldIPDSCP:
			if v < V12 && f.IsSaid(m) {
				// NXM has the six bits in their place within the byte.
				tos := flow.FieldIPTOS.Field()
				w.oxmValue(tos, flow.V(f.Get(&m.Key).Lo<<2), tos.Exact(), v)
				continue
			}
		}
		if v >= V15 && f.ID >= flow.FieldReg0 && f.ID < flow.FieldReg0+flow.NumRegs {
			// OpenFlow 1.5 has the registers in pairs.
			if odd := (f.ID-flow.FieldReg0)%2 != 0; odd && !(f.ID - 1).Field().IsWild(&m.Mask) {
				continue
			}
			f = (flow.FieldXReg0 + (f.ID-flow.FieldReg0)/2).Field()
		}
		if f.IsSaid(m) {
			w.oxmField(f, m, v)
		}
	}
	if options {
		w.nxOptions(m, v)
	}
}

// nxOptions writes the tunnel options of m.
func (w *buf) nxOptions(m *Match, v Version) {
	for i := range flow.NumTunMeta {
		if f := m.TLV.Field(i); f != nil && f.Present(&m.Mask) {
			w.oxmField(f, m, v)
		}
	}
}

func (w *buf) oxmVLAN(m *Match, v Version) {
	tci, mask := m.Key.VLANs[0].TCI, m.Mask.VLANs[0].TCI
	const vid = 0x1fff
	if mask&vid != 0 {
		w.oxmValue(flow.FieldVLANVID.Field(), flow.V(uint64(tci&vid)), flow.V(uint64(mask&vid)), v)
	}
	if tci&flow.VLANPresent != 0 && mask>>13 != 0 { // else it would lack what it depends on
		w.oxmValue(flow.FieldVLANPCP.Field(), flow.V(uint64(tci>>13)), flow.V(7), v)
	}
}

func (w *buf) oxmField(f *flow.Field, m *Match, v Version) {
	mask := f.Get(&m.Mask)
	if f.IsExact(&m.Mask) {
		mask = f.Exact()
	}
	w.oxmValue(f, f.Get(&m.Key), mask, v)
}

// exactOnWire reports whether a field is written without a mask.
func exactOnWire(f *flow.Field, mask flow.Value) bool {
	// Of the 32 bits of ct_state 8 are known.
	return mask == f.Exact() && !f.HasMask() && f.ID != flow.FieldCTState
}

// oxmValue writes one field; without a mask when it is the whole field.
func (w *buf) oxmValue(f *flow.Field, val, mask flow.Value, v Version) {
	exact := exactOnWire(f, mask)
	c, ok := f.Codepoint(uint8(v))
	if !ok {
		return
	}
	n := f.NBytes
	if f.IsTunMetadata() && !f.IsBound() {
		n = max(1, (val.Len()+7)/8)
		if !exact {
			n = max(n, (mask.Len()+7)/8)
		}
	}
	w.oxmHeaderOf(c.Header, n, !exact)
	w.value(val, n)
	if !exact {
		w.value(mask, n)
	}
}

// value writes a value in n bytes.
func (w *buf) value(v flow.Value, n int) {
	at := len(w.b)
	w.pad(n)
	v.PutBytes(w.b[at:])
}

// oxmHead writes the header of a field, with the length of its value and mask.
// It reports whether the field has a header at all.
func (w *buf) oxmHead(f *flow.Field, hasMask bool, v Version) bool {
	c, ok := f.Codepoint(uint8(v))
	if !ok {
		return false
	}
	w.oxmHeaderOf(c.Header, f.NBytes, hasMask)
	return true
}

func (w *buf) oxmHeaderOf(h flow.Header, n int, hasMask bool) {
	var bit uint32
	if hasMask {
		n *= 2
		bit = 0x100
	}
	exp := h.Class() == flow.ClassExperimenter
	if exp {
		n += 4
	}
	w.u32(uint32(h.Class())<<16 | uint32(h.Number())<<9 | bit | uint32(n))
	if exp {
		w.u32(h.Exp())
	}
}

// match11 writes an OXM match with its header and padding; in OpenFlow 1.1 the
// fixed form.
func (e *encoder) match11(m *Match) {
	if e.v == V11 {
		e.matchStd11(m)
		return
	}
	start := e.len()
	e.u16(1)
	e.u16(0)
	e.nxFields(m, e.v)
	e.put16(start+2, e.len()-start)
	e.padTo8(start)
}

// nxMatch writes NXM fields and padding, and returns the length without it.
func (e *encoder) nxMatch(m *Match, cookie, cookieMask uint64) int {
	start := e.len()
	e.nxFields(m, e.nxmVersion())
	if cookieMask != 0 {
		if cookieMask == ^uint64(0) {
			e.u32(0x00013c08)
			e.u64(cookie)
		} else {
			e.u32(0x00013d10)
			e.u64(cookie & cookieMask)
			e.u64(cookieMask)
		}
	}
	n := e.len() - start
	e.padTo8(start)
	return n
}

// nxmVersion is the version whose headers Nicira messages use.
func (e *encoder) nxmVersion() Version {
	if e.v == V11 {
		return V10
	}
	return e.v
}
