package openflow

import "weir/internal/flow"

// Decoding of NXM and OXM matches (OpenFlow 1.2, A.2.3; ovs-fields(7)).

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

// field finds the field of a header, nil when there is none of its number.
func (h oxm) field() *flow.Field {
	return flow.FieldByHeader(flow.MakeHeader(h.class, h.exp, h.num, h.valueLen()))
}

// wholeField is field, and nil where the header hasn't the length of the field.
// Tunnel options have many.
func (h oxm) wholeField() *flow.Field {
	f := h.field()
	if f != nil && !f.IsTunMetadata() && h.valueLen() != f.NBytes {
		return nil
	}
	return f
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
		if n > flow.MaxValueLen {
			c.fail(ErrBMCBadLen)
			return
		}
		if f = d.matchOption(m, f, h); f == nil {
			c.fail(ErrNXFMFCInvalidTLVField)
			return
		}
	}
	v, mask, code := oxmValue(f, h, b)
	if code == 0 && h.hasMask && !validMask(f, mask) {
		code = ErrBMCBadMask
	}
	if code == ErrBMCBadWildcards {
		d.logf("nx_match", true, sprintf("Rejecting NXM/OXM entry %s:%d:%d:1:%d with 1-bits in value for bits wildcarded by the mask.",
			flow.AltHex(uint64(h.exp)), h.class, h.num, h.wireLen()))
	}
	if code != 0 {
		c.fail(code)
		return
	}
	c.enter(m, opt, f, v, mask)
}

// enter puts a field that was read into a match, if it may stand there.
func (c *cursor) enter(m *Match, opt matchOptions, f *flow.Field, v, mask flow.Value) {
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
		setField(m, f, v, onesOnly(f, v, mask))
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

// lastBytes leaves the last n bytes of a value that has zeros before them, and of its
// mask: an option may be shorter than the number that a program sends for it. Others stay.
func lastBytes(b []byte, h oxm, n int) []byte {
	value := h.valueLen()
	for _, x := range b[:value-n] {
		if x != 0 {
			return b
		}
	}
	return append(append([]byte(nil), b[value-n:value]...), b[min(2*value-n, len(b)):]...)
}

// oxmValue takes value and mask apart and checks them.
func oxmValue(f *flow.Field, h oxm, b []byte) (v, mask flow.Value, code ErrCode) {
	n := f.NBytes
	if f.IsTunMetadata() && h.valueLen() < n {
		n = h.valueLen() // the bytes before those that are given are zero
	}
	if f.IsTunMetadata() && h.valueLen() > n && len(b) == h.payload {
		b = lastBytes(b, h, n)
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
		return v, mask, 0
	}
	mask = decValue(b[n:])
	all := flow.Ones(8 * n)
	switch {
	case !v.AndNot(mask).IsZero():
		return v, mask, ErrBMCBadWildcards
	case !mask.IsZero() && !validValue(f, v):
		return v, mask, ErrBMCBadValue
	}
	if mask == all && n == f.NBytes {
		mask = f.Exact()
	}
	return v, mask.And(f.Exact()), 0
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
