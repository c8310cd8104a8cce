package openflow

import (
	"weir/internal/flow"
	"weir/internal/packet"
)

// Codec of NXM and OXM matches (OpenFlow 1.2, A.2.3; ovs-fields(7)).

func decValue(b []byte) flow.Value { return flow.ValueFromBytes(b) }

// oxm is the header of a field on the wire.
type oxm struct {
	class   uint16
	exp     uint32
	num     uint8
	hasMask bool
	payload int // bytes that follow, value and mask
}

// oxmWire reads a header without looking the field up.
func (c *cursor) oxmWire(short ErrCode) oxm {
	save := c.short
	c.short = short
	defer func() { c.short = save }()
	v := c.u32()
	h := oxm{class: uint16(v >> 16), num: uint8(v>>9) & 0x7f, hasMask: v&0x100 != 0, payload: int(v & 0xff)}
	if h.class == flow.ClassExperimenter {
		h.exp = c.u32()
		if h.payload -= 4; h.payload < 0 {
			c.fail(short)
			h.payload = 0
		}
	}
	return h
}

// field finds the field of a header, nil when there is none of its number and length.
func (h oxm) field() *flow.Field {
	return flow.FieldByHeader(flow.MakeHeader(h.class, h.exp, h.num, h.valueLen()))
}

// valueLen is the length of the value alone.
func (h oxm) valueLen() int {
	if h.hasMask {
		return h.payload / 2
	}
	return h.payload
}

// wireLen is the length that stands in the header.
func (h oxm) wireLen() int {
	if h.class == flow.ClassExperimenter {
		return h.payload + 4
	}
	return h.payload
}

// isCookie: the header is NXM_NX_COOKIE, which is not a field.
func (h oxm) isCookie() bool {
	return h.class == 1 && h.num == 30 && (h.payload == 8 && !h.hasMask || h.payload == 16 && h.hasMask)
}

// oxmHeader reads a header and finds its field; ok is false at an error.
func (d *decoder) oxmHeader(c *cursor) (f *flow.Field, h oxm, ok bool) {
	h = c.oxmWire(ErrBMCBadLen)
	if c.err != nil {
		return nil, h, false
	}
	if f = h.field(); f == nil {
		c.fail(ErrBMCBadField)
		return nil, h, false
	}
	if f = d.bind(f); f == nil {
		c.fail(ErrNXFMFCInvalidTLVField)
		return nil, h, false
	}
	return f, h, true
}

// bind returns the form of a field that the bridge's table of tunnel options
// gives it, nil if that has none. Without a table the field stays as it is.
func (d *decoder) bind(f *flow.Field) *flow.Field {
	if f == nil || d.opt.TLV == nil {
		return f
	}
	return d.opt.TLV.Bind(f)
}

// matchOptions vary how strict a match is read.
type matchOptions struct {
	loose bool // skip fields that are unknown or lack their prerequisites
	// cookie, when not nil, takes NXM_NX_COOKIE.
	cookie *[2]uint64
	// pipeline: only metadata fields are allowed.
	pipeline bool
}

// nxMatch reads the fields in c up to its end.
func (d *decoder) nxMatch(c *cursor, opt matchOptions) (m Match) {
	d.nxFields(c, &m, opt)
	return m
}

// nxFields adds the fields in c up to its end to an empty match.
func (d *decoder) nxFields(c *cursor, m *Match, opt matchOptions) {
	b := c.b[c.off:]
	plain := d.reuse != nil && !opt.loose && !opt.pipeline && (opt.cookie == nil || opt.cookie[1] == 0)
	if plain && c.err == nil && d.reuse.plan.read(b, m) {
		c.off = len(c.b)
		return
	}
	for c.left() > 0 && c.err == nil {
		if c.left() < 4 {
			c.fail(ErrBMCBadLen)
			break
		}
		d.nxField(c, m, opt)
	}
	if plain && c.err == nil && m.Mask.TunMetaPresent == 0 {
		d.reuse.plan.learn(b, m)
	}
	d.failErr(c.err)
}

func (d *decoder) nxField(c *cursor, m *Match, opt matchOptions) {
	h := c.oxmWire(ErrBMCBadLen)
	if h.isCookie() {
		d.nxCookie(c, h, opt)
		return
	}
	f := h.field()
	short := c.short
	c.short = ErrBMCBadLen
	b := c.bytes(h.payload)
	c.short = short
	if c.err != nil {
		return
	}
	n := h.valueLen()
	if f == nil || opt.loose && n != f.NBytes && !f.IsTunMetadata() {
		if !opt.loose {
			c.fail(ErrBMCBadField)
		}
		return
	}
	if f.IsTunMetadata() {
		if f = d.matchOption(m, f, h); f == nil {
			c.fail(ErrNXFMFCInvalidTLVField)
			return
		}
	}
	v, mask, code := oxmValue(f, h, b)
	if code != 0 {
		if code == ErrBMCBadWildcards {
			d.logf("nx_match", true, sprintf("Rejecting NXM/OXM entry %s:%d:%d:1:%d with 1-bits in value for bits wildcarded by the mask.",
				flow.AltHex(uint64(h.exp)), h.class, h.num, h.wireLen()))
		}
		c.fail(code)
		return
	}
	switch {
	case opt.pipeline && !pipelineField(f):
		c.fail(ErrBRCPipelineFieldsOnly)
	case !f.AppliesTo(m):
		if !opt.loose {
			c.fail(ErrBMCBadPrereq)
		}
	case !f.IsWild(&m.Mask):
		c.fail(ErrBMCDupField)
	case mask.IsZero() && !f.IsTunMetadata():
		if f.Prereq == flow.PrereqEthernet {
			m.SetDefaultPacketType()
		}
	default:
		setField(m, f, v, mask)
	}
}

// matchOption finds or makes the place of a tunnel option in a match.
func (d *decoder) matchOption(m *Match, f *flow.Field, h oxm) *flow.Field {
	if d.opt.TLV != nil {
		m.TLV = d.opt.TLV
	}
	if m.TLV != nil && m.TLV.Bind(f) != nil {
		return m.TLV.Bind(f)
	}
	bound, err := m.BindOption(f, h.valueLen(), h.hasMask)
	if err != nil {
		return nil
	}
	return bound
}

func setField(m *Match, f *flow.Field, v, mask flow.Value) {
	if f.Prereq == flow.PrereqEthernet {
		m.SetDefaultPacketType()
	}
	m.Set(f, v, mask)
}

// oxmValue takes value and mask apart and checks them.
func oxmValue(f *flow.Field, h oxm, b []byte) (v, mask flow.Value, code ErrCode) {
	n := f.NBytes
	if f.IsTunMetadata() && h.valueLen() < n {
		n = h.valueLen() // the bytes before those that are given are zero
	}
	want := n
	if h.hasMask {
		want = 2 * n
	}
	if len(b) != want {
		return v, mask, ErrBMCBadLen
	}
	v, mask = decValue(b[:n]), f.Exact()
	if !h.hasMask {
		if !validValue(f, v) {
			return v, mask, ErrBMCBadValue
		}
		return v, onesOnly(f, v, mask), 0
	}
	mask = decValue(b[n:])
	all := flow.Ones(8 * n)
	switch {
	case !v.AndNot(mask).IsZero():
		return v, mask, ErrBMCBadWildcards
	case !validMask(f, mask):
		return v, mask, ErrBMCBadMask
	case !mask.IsZero() && !validValue(f, v):
		return v, mask, ErrBMCBadValue
	}
	if mask == all && n == f.NBytes {
		mask = f.Exact()
	}
	return v, onesOnly(f, v, mask.And(f.Exact())), 0
}

// onesOnly is the mask of a field as Open vSwitch takes it. Of the headers of
// ERSPAN and GTP-U only the bits that are one count in a match.
func onesOnly(f *flow.Field, v, mask flow.Value) flow.Value {
	switch f.ID {
	case flow.FieldTunERSPANVer, flow.FieldTunERSPANDir, flow.FieldTunERSPANHwid, flow.FieldTunGTPUFlags, flow.FieldTunGTPUMsgType:
		return mask.And(v)
	}
	return mask
}

// validValue reports whether v is a value of the field.
func validValue(f *flow.Field, v flow.Value) bool {
	if !v.AndNot(f.Exact()).IsZero() {
		return false
	}
	switch f.ID {
	case flow.FieldInPortOXM, flow.FieldActsetOutput:
		return v.Lo <= 0xfeff || v.Lo >= uint64(PortMax)
	case flow.FieldIPTOS:
		return v.Lo&3 == 0
	case flow.FieldARPOp:
		return v.Lo <= 0xff
	}
	return true
}

// validMask reports whether a field may have the mask.
func validMask(f *flow.Field, mask flow.Value) bool {
	if mask.IsZero() || mask == flow.Ones(8*f.NBytes) || mask == f.Exact() {
		return true
	}
	return f.Maskable
}

// pipelineField reports whether a field is metadata, not of the packet itself
// (OpenFlow 1.5, 7.2.3.4).
func pipelineField(f *flow.Field) bool {
	return f.ID < flow.FieldEthSrc
}

func (d *decoder) nxCookie(c *cursor, h oxm, opt matchOptions) {
	v, mask := c.u64(), ^uint64(0)
	if h.hasMask {
		mask = c.u64()
	}
	switch {
	case opt.cookie == nil:
		c.fail(ErrNXBRCNXMInvalid)
	case opt.cookie[1] != 0:
		c.fail(ErrBMCDupField)
	case v&^mask != 0:
		c.fail(ErrBMCBadWildcards)
	default:
		*opt.cookie = [2]uint64{v, mask}
	}
}

// nxMatchLen reads n bytes of fields and the padding to a multiple of 8.
func (d *decoder) nxMatchLen(n int, opt matchOptions) (m Match) {
	d.nxMatchInto(&m, n, opt)
	return m
}

// nxMatchInto is nxMatchLen into an empty match.
func (d *decoder) nxMatchInto(m *Match, n int, opt matchOptions) {
	if d.err == nil && pad8(n) > d.left() {
		d.fail(ErrBMCBadLen)
	}
	c := d.sub(n, ErrBMCBadLen)
	d.skip(pad8(n) - n)
	d.nxFields(&c, m, opt)
}

// match11 reads an ofp11_match_header and its match: OXM, or in OpenFlow 1.1
// the fixed form. padded is the length with padding.
func (d *decoder) match11(opt matchOptions) (m Match) {
	d.match11Into(&m, opt)
	return m
}

// match11Into is match11 into an empty match.
func (d *decoder) match11Into(m *Match, opt matchOptions) {
	if d.err == nil && d.left() < 4 {
		d.fail(ErrBMCBadLen)
	}
	typ, n := d.u16(), int(d.u16())
	if d.err != nil {
		return
	}
	switch typ {
	case 0:
		if n != 88 || d.left() < 84 {
			d.fail(ErrBMCBadLen)
			return
		}
		// Open vSwitch reads the fixed form in every version.
		*m = d.matchStd11()
	case 1:
		if n < 4 || pad8(n)-4 > d.left() {
			d.fail(ErrBMCBadLen)
			return
		}
		c := d.sub(n-4, ErrBMCBadLen)
		d.skip(pad8(n) - n)
		d.nxFields(&c, m, opt)
	default:
		d.fail(ErrBMCBadType)
	}
}

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

// impliesEthernet reports whether the fields of a match say that packets have
// an Ethernet header, so that the packet type need not.
func impliesEthernet(m *Match) bool {
	w := &m.Mask
	return w.EthSrc != packet.MAC{} || w.EthDst != packet.MAC{} || w.EthType != 0 || w.VLANs[0].TCI != 0
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
	if m.Mask.PacketType != 0 && (!m.HasDefaultPacketType() || w.typeToo && !impliesEthernet(m)) {
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
			if v < V12 && f.AppliesTo(m) {
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
		if f.AppliesTo(m) || f.Prereq <= flow.PrereqEthernet {
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
	if tci&vid != 0 && mask>>13 != 0 {
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

// fieldArray writes the fields property of a group (NTR selection method).
func (e *encoder) fieldArray(g *GroupProps) {
	for i := range flow.NumFields {
		if !g.FieldSet.Has(uint16(i)) {
			continue
		}
		f := flow.FieldID(i).Field()
		mask := f.Get(&g.Fields.Mask)
		if f.IsExact(&g.Fields.Mask) || mask.IsZero() {
			mask = f.Exact()
		}
		v := max(e.v, V12)
		if !e.oxmHead(f, false, v) {
			continue
		}
		e.value(mask, f.NBytes)
	}
}
