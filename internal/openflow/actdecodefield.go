package openflow

import "weir/internal/flow"

// Decoders of the actions that name fields: set_field, load, move, the stack,
// output to a register, multipath, bundle, learn, ct and nat.

// setFieldCode translates the errors of a match field to those of an action.
func setFieldCode(code ErrCode) ErrCode {
	switch code {
	case ErrBMCBadField:
		return ErrBACBadSetType
	case ErrBMCBadLen:
		return ErrBACBadSetLen
	case ErrBMCBadMask:
		return ErrBACBadSetMask
	case ErrBMCBadValue:
		return ErrBACBadSetArgument
	}
	return code
}

// oxmEntry reads a field with its value, and its mask when that is allowed.
func (a *actReader) oxmEntry(mayMask bool) *SetField {
	h := a.oxmWire(ErrBACBadSetLen)
	f := h.field()
	switch {
	case a.err != nil:
		return nil
	case f == nil:
		full := flow.FieldByHeader(flow.MakeHeader(h.class, h.exp, h.num, 0))
		if full != nil {
			a.fail(ErrBACBadSetLen)
		}
		a.fail(ErrBACBadSetType)
		return nil
	case h.hasMask && !mayMask:
		a.fail(ErrBACBadSetMask)
		return nil
	}
	if f = a.d.bind(f); f == nil {
		a.fail(ErrNXFMFCInvalidTLVField)
		return nil
	}
	a.short = ErrBACBadSetLen
	b := a.bytes(h.payload)
	if a.err != nil {
		return nil
	}
	v, mask, code := oxmValue(f, h, b)
	if code != 0 {
		a.fail(setFieldCode(code))
		return nil
	}
	if mask.IsZero() {
		a.fail(ErrBACBadSetMask)
	}
	if f.ID == flow.FieldVLANVID && mask == f.Exact() && v.Lo&flow.VLANPresent == 0 {
		// A packet that has a tag keeps it (OpenFlow 1.5, 7.2.3.8: OFPVID_PRESENT).
		a.d.logf("ofp_actions", true, "Invalid value for set field vlan_vid: "+f.FormatValue(v, mask, nil))
		a.fail(ErrBACBadSetArgument)
	}
	if f.ID == flow.FieldInPortOXM {
		a.fail(ErrBACBadSetArgument) // set_field can't (OpenFlow 1.5.1, 7.2.6.7); load can
	}
	if !f.Writable {
		a.d.logf("meta_flow", true, "destination field "+f.Name+" is not writable")
		a.fail(ErrBACBadSetArgument)
	}
	return &SetField{Field: f, Value: v, Mask: mask}
}

func (a *actReader) setField(mayMask bool) Action {
	s := a.oxmEntry(mayMask)
	a.short = ErrBACBadSetLen
	a.zeros(a.left(), ErrBACBadSetArgument)
	if s == nil {
		return nil
	}
	return s
}

func actSetField12(a *actReader) Action { return a.setField(false) }
func actSetField15(a *actReader) Action { return a.setField(true) }

func actRegLoad2(a *actReader) Action {
	a.skip(6)
	s, _ := a.setField(true).(*SetField)
	if s == nil {
		return nil
	}
	s.FromLoad2 = true
	return s
}

func actRegLoad(a *actReader) Action {
	var dst Subfield
	dst.Ofs, dst.N = ofsNBits(a.u16())
	dst.Field = a.subHeader()
	v := flow.V(a.u64())
	if a.err == nil && !v.AndNot(flow.Ones(int(dst.N))).IsZero() {
		a.fail(ErrBACBadArgument)
	}
	a.checkSub(dst, "destination")
	if a.err != nil {
		return nil
	}
	return &SetField{
		Field: dst.Field, Value: v.Shl(int(dst.Ofs)), Mask: flow.Ones(int(dst.N)).Shl(int(dst.Ofs)), FromLoad: true,
	}
}

func actRegMove(a *actReader) Action {
	m := &Move{}
	n := a.u16()
	m.Src.N, m.Dst.N = n, n
	m.Src.Ofs, m.Dst.Ofs = a.u16(), a.u16()
	m.Src.Field, m.Dst.Field = a.fieldHeader(), a.fieldHeader()
	a.zeros(a.left(), ErrBACBadArgument)
	a.checkMove(m)
	return m
}

// checkRange refuses ranges that end before they begin.
func (n *NAT) checkRange(a *actReader) {
	if n.AddrMax != [16]byte{} && string(n.AddrMax[:]) < string(n.AddrMin[:]) || n.ProtoMax != 0 && n.ProtoMax < n.ProtoMin {
		a.fail(ErrBACBadArgument)
	}
}

func (a *actReader) checkMove(m *Move) {
	a.checkSub(m.Src, "source")
	a.checkSub(m.Dst, "destination")
}

func actCopyField(a *actReader) Action {
	m := &Move{ONF: a.vendor != 0}
	if m.ONF {
		a.skip(2)
	}
	n := a.u16()
	m.Src.N, m.Dst.N = n, n
	m.Src.Ofs, m.Dst.Ofs = a.u16(), a.u16()
	a.skip(2)
	m.Src.Field, m.Dst.Field = a.fieldHeader(), a.fieldHeader()
	a.zeros(a.left(), ErrBACBadArgument)
	a.checkMove(m)
	return m
}

func (a *actReader) stack(what string) Subfield {
	s := Subfield{Ofs: a.u16()}
	s.Field = a.fieldHeader()
	s.N = a.u16()
	a.zeros(a.left(), ErrNXBRCMustBeZero)
	a.checkSub(s, what)
	return s
}

func actStackPush(a *actReader) Action { return &Push{Src: a.stack("source")} }
func actStackPop(a *actReader) Action  { return &Pop{Dst: a.stack("destination")} }

func actOutputReg(a *actReader) Action {
	o := &OutputReg{}
	o.Src.Ofs, o.Src.N = ofsNBits(a.u16())
	o.Src.Field = a.subHeader()
	o.MaxLen = a.u16()
	a.zeros(6, ErrBACBadArgument)
	a.checkSub(o.Src, "source")
	return o
}

func actOutputReg2(a *actReader) Action {
	o := &OutputReg{}
	o.Src.Ofs, o.Src.N = ofsNBits(a.u16())
	o.MaxLen = a.u16()
	o.Src.Field = a.fieldHeader()
	a.zeros(a.left(), ErrNXBRCMustBeZero)
	a.checkSub(o.Src, "source")
	return o
}

func actMultipath(a *actReader) Action {
	m := &Multipath{Fields: HashFields(a.u16()), Basis: a.u16()}
	a.skip(2)
	m.Algorithm, m.MaxLink, m.Arg = a.u16(), a.u16(), a.u32()
	a.skip(2)
	m.Dst.Ofs, m.Dst.N = ofsNBits(a.u16())
	m.Dst.Field = a.subHeader()
	a.checkSub(m.Dst, "destination")
	if a.err != nil {
		return nil
	}
	if m.Fields > HashSymmetricL3 {
		a.d.logf("multipath", true, sprintf("unsupported fields %d", m.Fields))
		a.fail(ErrBACBadArgument)
	}
	if m.Algorithm > MultipathIterHash {
		a.d.logf("multipath", true, sprintf("unsupported algorithm %d", m.Algorithm))
		a.fail(ErrBACBadArgument)
	}
	if m.Dst.N < 16 && uint32(m.MaxLink) >= 1<<m.Dst.N {
		a.d.logf("multipath", true, sprintf("%d-bit destination field has only %d possible values, less than specified n_links %d",
			m.Dst.N, 1<<m.Dst.N, int(m.MaxLink)+1))
		a.fail(ErrBACBadArgument)
	}
	return m
}

func (a *actReader) bundle(load bool) Action {
	b := &Bundle{Algorithm: a.u16(), Fields: HashFields(a.u16()), Basis: a.u16()}
	member := a.u32()
	n := int(a.u16())
	ofs := a.u16()
	dst := a.off
	hdr := a.u32()
	a.zeros(4, ErrBACBadArgument)
	if a.err != nil {
		return nil
	}
	bad := func(text string) {
		a.d.logf("bundle", true, text)
		a.fail(ErrBACBadArgument)
	}
	switch {
	case b.Fields > HashSymmetricL3:
		bad(sprintf("unsupported fields %d", b.Fields))
	case n > 2048:
		bad("too many members")
	case b.Algorithm > BundleHRW:
		bad(sprintf("unsupported algorithm %d", b.Algorithm))
	case member != 2:
		bad(sprintf("unsupported member type %d", member))
	case load:
		end := a.off
		a.off = dst
		b.Dst.Ofs, b.Dst.N = ofsNBits(ofs)
		b.Dst.Field = a.subHeader()
		a.off = max(end, a.off)
		if a.err == nil && b.Dst.N < 16 {
			bad("bundle_load action requires at least 16 bit destination.")
		}
		a.checkSub(b.Dst, "destination")
	case hdr != 0 || ofs != 0:
		bad("bundle action has nonzero dst")
	}
	if 2*n > a.left() {
		a.d.logf("bundle", true, sprintf("Nicira action BUNDLE only has %d bytes allocated for members.  %d bytes are required for %d members.",
			a.left(), 2*n, n))
		a.fail(ErrBACBadLen)
		return nil
	}
	for range n {
		p := Port10(a.u16())
		if p >= PortMax && p != PortNone && p != PortLocal && p != PortInPort {
			a.fail(ErrBACBadOutPort)
		}
		b.Members = append(b.Members, p)
	}
	return b
}

func actBundle(a *actReader) Action     { return a.bundle(false) }
func actBundleLoad(a *actReader) Action { return a.bundle(true) }

func actLearn(a *actReader) Action {
	l := a.learnHead()
	a.learnSpecs(l)
	return l
}

func (a *actReader) learnHead() *Learn {
	l := &Learn{IdleTimeout: a.u16(), HardTimeout: a.u16(), Priority: a.u16(), Cookie: a.u64()}
	l.Flags = LearnFlags(a.u16())
	valid := LearnSendFlowRem | LearnDeleteLearned
	if a.row.num == nxastLearn2 {
		valid |= LearnWriteResult
	}
	if l.Flags&^valid != 0 {
		a.fail(ErrBACBadArgument)
	}
	l.TableID = a.u8()
	if a.u8() != 0 || l.TableID == 0xff {
		a.fail(ErrBACBadArgument)
	}
	l.FinIdleTimeout, l.FinHardTimeout = a.u16(), a.u16()
	return l
}

func actLearn2(a *actReader) Action {
	l := a.learnHead()
	l.V2 = true
	l.Limit = a.u32()
	ofs := a.u16()
	a.skip(2)
	if l.Flags&LearnWriteResult != 0 {
		l.ResultDst = Subfield{Field: a.subHeader(), Ofs: ofs, N: 1}
		a.checkSub(l.ResultDst, "destination")
	}
	a.learnSpecs(l)
	return l
}

func (a *actReader) learnSpecs(l *Learn) {
	for a.left() >= 2 && a.err == nil {
		h := a.u16()
		if h == 0 {
			break
		}
		s := LearnSpec{NBits: h & 0x3ff, Dst: LearnDst(h >> 11 & 3), FromImm: h&0x2000 != 0}
		if h&0xc400 != 0 || s.Dst > LearnOutput || s.NBits == 0 {
			a.fail(ErrBACBadArgument)
			return
		}
		if s.FromImm {
			b := a.bytes(2 * ((int(s.NBits) + 15) / 16))
			s.Imm = decValue(b).And(flow.Ones(int(s.NBits)))
		} else {
			s.Src = Subfield{Field: a.subHeader(), Ofs: a.u16(), N: s.NBits}
			a.checkSub(s.Src, "source")
		}
		if s.Dst != LearnOutput {
			s.DstSub = Subfield{Field: a.subHeader(), Ofs: a.u16(), N: s.NBits}
			if s.Dst == LearnLoad {
				a.checkSub(s.DstSub, "destination")
			} else {
				a.checkSub(s.DstSub, "source")
			}
		}
		l.Specs = append(l.Specs, s)
	}
	a.zeros(a.left(), ErrBACBadArgument)
}

func actCT(a *actReader) Action {
	c := &CT{Flags: CTFlags(a.u16())}
	at := a.off
	zoneSrc := a.u32()
	c.ZoneImm = a.u16()
	if zoneSrc != 0 {
		h := a.b[at : at+4]
		hc := cursor{b: h}
		if f := hc.oxmWire(ErrBACBadSetType).wholeField(); f != nil {
			if c.ZoneSrc.Field = a.d.bind(f); c.ZoneSrc.Field == nil {
				a.fail(ErrNXFMFCInvalidTLVField)
			}
		}
		c.ZoneSrc.Ofs, c.ZoneSrc.N = ofsNBits(c.ZoneImm)
		c.ZoneImm = 0
		a.checkSub(c.ZoneSrc, "source")
		if c.ZoneSrc.N != 16 {
			a.fail(ErrBACBadSetLen)
		}
	}
	c.Table = a.u8()
	a.skip(3)
	c.ALG = a.u16()
	n := a.sub(a.left(), ErrBACBadLen)
	c.Actions = a.d.nested(&n)
	a.failErr(n.err)
	if a.err == nil && c.Flags&CTForce != 0 && c.Flags&CTCommit == 0 {
		a.fail(ErrBACBadArgument)
	}
	if a.err == nil {
		if text, code := c.checkNested(); code != 0 {
			a.d.logf("ofp_actions", true, text)
			a.fail(code)
		}
	}
	return c
}

// checkNested makes sure that only what may stand inside ct does.
func (c *CT) checkNested() (string, ErrCode) {
	for _, act := range c.Actions {
		var f *flow.Field
		switch act := act.(type) {
		case *NAT:
			if act.Flags != 0 && c.Flags&CTCommit == 0 {
				return "NAT configuration requires commit flag.", ErrBACBadArgument
			}
			continue
		case *SetField:
			f = act.Field
		case *Move:
			f = act.Dst.Field
		default:
			return "ct action doesn't support nested action " + ActionName(act), ErrBACBadArgument
		}
		if f.ID != flow.FieldCTMark && f.ID != flow.FieldCTLabel {
			return "ct action doesn't support nested modification of " + f.Name, ErrBACBadArgument
		}
		if c.Flags&CTCommit == 0 {
			return "ct(exec(...)) requires commit flag", ErrBACBadArgument
		}
	}
	return "", 0
}

// Bits of the range_present member of NXAST_NAT.
const (
	natIPv4Min = 1 << iota
	natIPv4Max
	natIPv6Min
	natIPv6Max
	natProtoMin
	natProtoMax
)

func actNAT(a *actReader) Action {
	a.zeros(2, ErrNXBRCMustBeZero)
	n := &NAT{Flags: NATFlags(a.u16())}
	present := a.u16()
	if n.Flags&^0x1f != 0 || n.Flags&(NATSrc|NATDst) == NATSrc|NATDst ||
		n.Flags&(NATProtoHash|NATProtoRandom) == NATProtoHash|NATProtoRandom {
		a.fail(ErrBACBadArgument)
	}
	v4, v6 := present&(natIPv4Min|natIPv4Max), present&(natIPv6Min|natIPv6Max)
	if v4 != 0 && v6 != 0 || v4 == natIPv4Max || v6 == natIPv6Max || present&natProtoMax != 0 && present&natProtoMin == 0 {
		a.fail(ErrBACBadArgument)
	}
	if present&natIPv4Min != 0 {
		n.HasAddr = true
		copy(n.AddrMin[:], a.bytes(4))
	}
	if present&natIPv4Max != 0 {
		copy(n.AddrMax[:], a.bytes(4))
	}
	if present&natIPv6Min != 0 {
		n.HasAddr, n.IPv6 = true, true
		copy(n.AddrMin[:], a.bytes(16))
	}
	if present&natIPv6Max != 0 {
		copy(n.AddrMax[:], a.bytes(16))
	}
	if present&natProtoMin != 0 {
		n.ProtoMin = a.u16()
	}
	if present&natProtoMax != 0 {
		n.ProtoMax = a.u16()
	}
	n.checkRange(a)
	return n
}
