package openflow

import (
	"fmt"

	"weir/internal/flow"
)

// actReader reads the body of one action.
type actReader struct {
	cursor
	d      *decoder
	vendor uint32
	row    *actRow
}

// skipTo aligns to the place of a 32-bit argument: directly after the header
// of a standard action, two bytes later in a Nicira one.
func (a *actReader) align32() {
	if a.vendor != 0 {
		a.skip(2)
	}
}

// fieldHeader reads the header of a field without a value.
func (a *actReader) fieldHeader() *flow.Field { return a.header(ErrBMCBadField) }

// subHeader reads the header of a field of which bits are named beside it, in
// the actions that hold no more than 32 bits of it and in learn.
func (a *actReader) subHeader() *flow.Field { return a.header(ErrBACBadSetType) }

// header reads a header, which must have the length of its field; unknown is
// the error of one that no field has.
func (a *actReader) header(unknown ErrCode) *flow.Field {
	f := a.oxmWire(ErrBACBadLen).wholeField()
	if f == nil && a.err == nil {
		a.fail(unknown)
	}
	if f != nil {
		if f = a.d.bind(f); f == nil {
			a.fail(ErrNXFMFCInvalidTLVField)
		}
	}
	return f
}

// checkSub makes the checks of mf_check_src and mf_check_dst.
func (a *actReader) checkSub(s Subfield, what string) {
	if a.err != nil {
		return
	}
	if text, code := subfieldError(s, what); code != 0 {
		a.d.logf("meta_flow", true, text)
		a.fail(code)
	}
}

// subfieldError says what is wrong with a subfield as a "source" or "destination".
func subfieldError(s Subfield, what string) (string, ErrCode) {
	f := s.Field
	switch {
	case f == nil:
		return "unknown " + what + " field", ErrBACBadSetType
	case s.N == 0:
		return "zero bit " + what + " field " + f.Name, ErrBACBadSetLen
	case int(s.Ofs) >= f.NBits:
		return fmt.Sprintf("bit offset %d exceeds %d-bit width of %s field %s", s.Ofs, f.NBits, what, f.Name), ErrBACBadSetLen
	case int(s.Ofs)+int(s.N) > f.NBits:
		return fmt.Sprintf("bit offset %d and width %d exceeds %d-bit width of %s field %s",
			s.Ofs, s.N, f.NBits, what, f.Name), ErrBACBadSetLen
	case what == "destination" && !f.Writable:
		return "destination field " + f.Name + " is not writable", ErrBACBadSetArgument
	}
	return "", 0
}

// ofsNBits takes a packed offset and width apart.
func ofsNBits(v uint16) (ofs, n uint16) { return v >> 6, v&63 + 1 }

func packOfsNBits(s Subfield) uint16 { return s.Ofs<<6 | (s.N - 1) }

// actions reads an action list up to the end of c.
func (d *decoder) actions(c *cursor) []Action {
	var out []Action
	start := c.off
	if n := c.left(); n%8 != 0 && c.err == nil {
		d.logf("ofp_actions", true, fmt.Sprintf("OpenFlow message actions length %d is not a multiple of 8", n))
		c.fail(ErrBRCBadLen)
	}
	for c.left() > 0 && c.err == nil {
		at := c.off
		act := d.action(c)
		if c.err != nil {
			d.logSite("ofp_actions", "decode", true, fmt.Sprintf("bad action at offset %d (%s):\n%s",
				at-start, CodeOf(c.err), logDump(c.b[start:])))
			break
		}
		out = append(out, act)
	}
	d.failErr(c.err)
	return out
}

// action reads one action: finds its row and lets that read the body.
func (d *decoder) action(c *cursor) Action {
	if d.depth > 64 {
		c.fail(ErrBACTooMany)
		return nil
	}
	if c.left() < 8 {
		c.fail(ErrBACBadLen)
		return nil
	}
	all := c.b[c.off:]
	typ, n := c.u16(), int(c.u16())
	var vendor uint32
	num, hdr := typ, 4
	if typ == 0xffff {
		if c.left() < 6 {
			c.fail(ErrBACBadLen)
			return nil
		}
		vendor, num, hdr = c.u32(), c.u16(), 10
	}
	row, code := findAct(d.Version, vendor, num)
	if row == nil {
		if vendor != 0 {
			d.logSite("ofp_actions", "decode", true, fmt.Sprintf("unknown OpenFlow action (vendor %#x, type %d)", vendor, num))
		}
		c.fail(code)
		return nil
	}
	if text := row.lengthError(n, len(all)); text != "" {
		d.logSite("ofp_actions", "decode", true, "OpenFlow action "+row.name+" length "+text)
		c.fail(ErrBACBadLen)
		return nil
	}
	a := &actReader{cursor: cursor{b: all[:n:n], off: hdr, short: ErrBACBadLen}, d: d, vendor: vendor, row: row}
	c.skip(n - hdr)
	d.depth++
	act := row.dec(a)
	d.depth--
	c.failErr(a.err)
	return act
}

func (r *actRow) lengthError(n, left int) string {
	switch {
	case n > left:
		return fmt.Sprintf("%d exceeds action buffer length %d", n, left)
	case n < r.min || !r.variable && n > r.min:
		maxLen := r.min
		if r.variable {
			maxLen = 65528
		}
		return fmt.Sprintf("%d not in valid range [%d,%d]", n, r.min, maxLen)
	case n%8 != 0:
		return fmt.Sprintf("%d is not a multiple of 8", n)
	}
	return ""
}

// Simple actions.

func checkOutputPort(a *actReader, p PortNo) {
	switch p {
	case PortInPort, PortTable, PortNormal, PortFlood, PortAll, PortController, PortLocal:
	default:
		if p >= PortMax {
			a.fail(ErrBACBadOutPort)
		}
	}
}

func act10Output(a *actReader) Action {
	o := &Output{Port: Port10(a.u16()), MaxLen: a.u16()}
	checkOutputPort(a, o.Port)
	return o
}

func act11Output(a *actReader) Action {
	o := &Output{Port: a.port32(), MaxLen: a.u16()}
	checkOutputPort(a, o.Port)
	return o
}

func actSetVLANVID(a *actReader) Action {
	v := a.u16()
	if v&^0xfff != 0 {
		a.fail(ErrBACBadArgument)
	}
	return &SetVLANVID{VID: v, PushIfNeeded: a.d.Version == V10}
}

func actSetVLANPCP(a *actReader) Action {
	v := a.u8()
	if v&^7 != 0 {
		a.fail(ErrBACBadArgument)
	}
	return &SetVLANPCP{PCP: v, PushIfNeeded: a.d.Version == V10}
}

func actPushVLAN(a *actReader) Action {
	t := a.u16()
	if t != 0x8100 && t != 0x88a8 {
		a.fail(ErrBACBadArgument)
	}
	return &PushVLAN{EthType: t}
}

func actStripVLAN(a *actReader) Action { return &StripVLAN{Pop: a.d.Version >= V11} }
func actSetDLSrc(a *actReader) Action  { return &SetEthSrc{MAC: a.mac()} }
func actSetDLDst(a *actReader) Action  { return &SetEthDst{MAC: a.mac()} }
func actSetNwSrc(a *actReader) Action  { return &SetIPv4Src{Addr: a.u32()} }
func actSetNwDst(a *actReader) Action  { return &SetIPv4Dst{Addr: a.u32()} }

func actSetNwTOS(a *actReader) Action {
	v := a.u8()
	if v&3 != 0 {
		a.fail(ErrBACBadArgument)
	}
	return &SetIPDSCP{DSCP: v}
}

func actSetNwECN(a *actReader) Action {
	v := a.u8()
	if v&^3 != 0 {
		a.fail(ErrBACBadArgument)
	}
	return &SetIPECN{ECN: v}
}

func actSetNwTTL(a *actReader) Action { return &SetIPTTL{TTL: a.u8()} }
func actSetTpSrc(a *actReader) Action { return &SetL4SrcPort{Port: a.u16()} }
func actSetTpDst(a *actReader) Action { return &SetL4DstPort{Port: a.u16()} }

func actEnqueue(a *actReader) Action {
	p := Port10(a.u16())
	a.skip(6)
	if p >= PortMax && p != PortInPort && p != PortLocal {
		a.fail(ErrBACBadOutPort)
	}
	return &Enqueue{Port: p, Queue: a.u32()}
}

func actSetMPLSLabel(a *actReader) Action {
	a.align32()
	return &SetMPLSLabel{Label: a.u32() & 0xfffff}
}

func actSetMPLSTC(a *actReader) Action  { return &SetMPLSTC{TC: a.u8()} }
func actSetMPLSTTL(a *actReader) Action { return &SetMPLSTTL{TTL: a.u8()} }
func actDecMPLSTTL(*actReader) Action   { return &DecMPLSTTL{} }

func actPushMPLS(a *actReader) Action {
	t := a.u16()
	if t != 0x8847 && t != 0x8848 {
		a.fail(ErrBACBadArgument)
	}
	return &PushMPLS{EthType: t}
}

func actPopMPLS(a *actReader) Action { return &PopMPLS{EthType: a.u16()} }

func actSetQueue(a *actReader) Action { a.align32(); return &SetQueue{Queue: a.u32()} }
func actGroup(a *actReader) Action    { a.align32(); return &Group{ID: a.u32()} }
func actMeter(a *actReader) Action    { return &MeterInst{ID: a.u32()} }

func actDecTTL(*actReader) Action { return &DecTTL{IDs: []uint16{0}} }

func actDecTTLIDs(a *actReader) Action {
	n := int(a.u16())
	a.zeros(4, ErrNXBRCMustBeZero)
	if 2*n > a.left() {
		a.fail(ErrBACBadLen)
		return nil
	}
	t := &DecTTL{IDs: make([]uint16, n), FromIDs: true}
	for i := range t.IDs {
		t.IDs[i] = a.u16()
	}
	return t
}

func actResubmit(a *actReader) Action {
	return &Resubmit{InPort: Port10(a.u16()), Table: TableAny}
}

func actResubmitTable(a *actReader) Action {
	r := &Resubmit{InPort: Port10(a.u16()), Table: a.u8(), FromTable: true}
	a.zeros(3, ErrBACBadArgument)
	return r
}

func actResubmitTableCT(a *actReader) Action {
	r := actResubmitTable(a).(*Resubmit)
	r.WithCT = true
	return r
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
