package openflow

import "fmt"

// Instructions (OpenFlow 1.1, A.2.4).

// Numbers of instructions, also the bits of table features.
const (
	InstGoto     = 1
	InstMetadata = 2
	InstWrite    = 3
	InstApply    = 4
	InstClear    = 5
	InstMeter    = 6
)

func decInstructionBits(b uint32, v Version) uint32 {
	if v < V13 {
		return b & 0x3e
	}
	return b & 0x7e
}

func encInstructionBits(b uint32, v Version) uint32 { return decInstructionBits(b, v) }

// instructions reads instructions up to the end of c and lists them in the
// order in which they run. In OpenFlow 1.0 it reads an action list.
func (d *decoder) instructions(c *cursor) []Action {
	if d.Version == V10 {
		return d.actions(c)
	}
	if n := c.left(); n%8 != 0 && c.err == nil {
		d.logSite("ofp_actions", "decode", true, fmt.Sprintf("OpenFlow message instructions length %d is not a multiple of 8", n))
		c.fail(ErrBICBadLen)
	}
	var inst [InstMeter + 1]*cursor
	for c.left() > 0 && c.err == nil {
		typ, b := d.instruction(c)
		if c.err != nil {
			break
		}
		if inst[typ] != nil {
			c.fail(ErrBICDupInst)
			break
		}
		inst[typ] = &b
	}
	if c.err != nil {
		d.failErr(c.err)
		return nil
	}
	return d.orderInstructions(&inst)
}

// instruction reads one instruction's header and gives its body.
func (d *decoder) instruction(c *cursor) (int, cursor) {
	typ, n := int(c.u16()), int(c.u16())
	if c.err == nil && (n < 4 || n%8 != 0 || n-4 > c.left()) {
		c.fail(ErrBICBadLen)
		return 0, cursor{}
	}
	b := c.sub(n-4, ErrBICBadLen)
	want := 0
	switch typ {
	case InstGoto, InstMeter:
		want = 8
	case InstMetadata:
		want = 24
	case InstClear:
		want = 8
	case InstWrite, InstApply:
		if n < 8 {
			c.fail(ErrBICBadLen)
		}
	case 0xffff:
		c.fail(ErrBICBadExperimenter)
	default:
		c.fail(ErrBICUnknownInst)
	}
	if typ == InstMeter && d.Version < V13 || typ == InstMeter && d.Version >= V15 {
		c.fail(ErrBICUnknownInst)
	}
	if want != 0 && n != want {
		c.fail(ErrBICBadLen)
	}
	return typ, b
}

// actionSet reads the actions that are merged into the action set.
func (d *decoder) actionSet(c *cursor) []Action {
	as := d.actions(c)
	for _, a := range as {
		if !inActionSet(a) {
			d.logSite("ofp_actions", "set", true, "disallowed action in action set")
			d.fail(ErrBACBadType)
			break
		}
	}
	return as
}

func (d *decoder) orderInstructions(inst *[InstMeter + 1]*cursor) []Action {
	var out []Action
	if c := inst[InstMeter]; c != nil {
		out = append(out, &MeterInst{ID: c.u32()})
	}
	if c := inst[InstApply]; c != nil {
		c.skip(4)
		out = append(out, d.actions(c)...)
	}
	if inst[InstClear] != nil {
		out = append(out, &ClearActions{})
	}
	if c := inst[InstWrite]; c != nil {
		c.skip(4)
		out = append(out, &WriteActions{Actions: d.actionSet(c)})
	}
	if c := inst[InstMetadata]; c != nil {
		c.skip(4)
		out = append(out, &WriteMetadata{Value: c.u64(), Mask: c.u64()})
	}
	if c := inst[InstGoto]; c != nil {
		out = append(out, &GotoTable{Table: c.u8()})
	}
	return out
}

// instructions writes actions, those that are no instructions inside apply_actions.
func (e *encoder) instructions(as []Action) {
	if e.v == V10 {
		e.actions(as)
		return
	}
	for i := 0; i < len(as); {
		if e.instruction(as[i]) {
			i++
			continue
		}
		s := e.of(InstApply)
		e.pad(4)
		for i < len(as) && !e.isInstruction(as[i]) {
			e.action(as[i])
			i++
		}
		e.actEnd(s)
	}
}

func (e *encoder) isInstruction(a Action) bool {
	switch a.(type) {
	case *MeterInst:
		return e.v < V15
	case *ClearActions, *WriteActions, *WriteMetadata, *GotoTable:
		return true
	}
	return false
}

func (e *encoder) instruction(a Action) bool {
	if !e.isInstruction(a) {
		return false
	}
	switch a := a.(type) {
	case *MeterInst:
		if e.v >= V13 {
			e.arg32(e.of(InstMeter), a.ID)
		}
	case *ClearActions:
		e.actEnd(e.of(InstClear))
	case *WriteActions:
		if len(a.Actions) == 0 {
			break
		}
		s := e.of(InstWrite)
		e.pad(4)
		e.actions(a.Actions)
		e.actEnd(s)
	case *WriteMetadata:
		s := e.of(InstMetadata)
		e.pad(4)
		e.u64(a.Value)
		e.u64(a.Mask)
		e.actEnd(s)
	case *GotoTable:
		e.arg8(e.of(InstGoto), a.Table)
	}
	return true
}
