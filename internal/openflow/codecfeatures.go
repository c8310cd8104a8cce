package openflow

import (
	"slices"

	"weir/internal/flow"
)

// Codec of table features (OpenFlow 1.3.1, A.3.5.5), and the bitmaps of
// actions and fields that older messages have in their place.

// actionBit is an action with its bit in OpenFlow 1.0 and in later versions, -1 where
// it has none.
type actionBit struct {
	name     string
	v10, v11 int
}

// bit is the action's bit in a version.
func (a *actionBit) bit(v Version) int {
	if v == V10 {
		return a.v10
	}
	return a.v11
}

// actionBits are the actions that have a bit, in the order in which they are
// listed.
var actionBits = []actionBit{
	{"output", 0, 0}, {"group", -1, 22}, {"enqueue", 11, -1}, {"set_field", -1, 25},
	{"set_vlan_vid", 1, 1}, {"set_vlan_pcp", 2, 2}, {"strip_vlan", 3, 18}, {"push_vlan", -1, 17},
	{"mod_dl_src", 4, 3}, {"mod_dl_dst", 5, 4}, {"mod_nw_src", 6, 5}, {"mod_nw_dst", 7, 6},
	{"mod_nw_tos", 8, 7}, {"mod_nw_ecn", -1, 8}, {"mod_nw_ttl", -1, 23},
	{"mod_tp_src", 9, 9}, {"mod_tp_dst", 10, 10}, {"dec_ttl", -1, 24},
	{"set_mpls_label", -1, 13}, {"set_mpls_tc", -1, 14}, {"set_mpls_ttl", -1, 15},
	{"dec_mpls_ttl", -1, 16}, {"push_mpls", -1, 19}, {"pop_mpls", -1, 20},
	{"set_queue", -1, 21},
}

// AllActionBits is the set of every action that has a bit.
const AllActionBits = 1<<25 - 1

// ActionBits is the set of the actions named.
func ActionBits(names ...string) (set uint64) {
	for i, a := range actionBits {
		if slices.Contains(names, a.name) {
			set |= 1 << i
		}
	}
	return set
}

func decActionBits(b uint32, v Version) (out uint64) {
	for i, a := range actionBits {
		if bit := a.bit(v); bit >= 0 && b&(1<<bit) != 0 {
			out |= 1 << i
		}
	}
	return out
}

func encActionBits(s uint64, v Version) (out uint32) {
	for i, a := range actionBits {
		if bit := a.bit(v); bit >= 0 && s&(1<<i) != 0 {
			out |= 1 << bit
		}
	}
	return out
}

// oxmBitmap reads a bitmap of OXM_OF field numbers (OpenFlow 1.2).
func oxmBitmap(b uint64) (s FieldSet) {
	for i := range flow.Fields {
		f := &flow.Fields[i]
		c, ok := f.Codepoint(flow.OF12)
		if ok && c.Header.Class() == flow.ClassBasic && c.Header.Number() < 64 && b&(1<<c.Header.Number()) != 0 {
			s.Add(uint16(f.ID))
		}
	}
	return s
}

func oxmBits(s *FieldSet) (b uint64) {
	for i := range flow.Fields {
		f := &flow.Fields[i]
		c, ok := f.Codepoint(flow.OF12)
		if ok && s.Has(uint16(f.ID)) && c.Since <= flow.OF12 && c.Header.Class() == flow.ClassBasic && c.Header.Number() < 40 {
			b |= 1 << c.Header.Number()
		}
	}
	return b
}

// Properties of table features.
const (
	tfInstructions  = 0
	tfNextTables    = 2
	tfWriteActions  = 4
	tfApplyActions  = 6
	tfMatch         = 8
	tfWildcards     = 10
	tfWriteSetField = 12
	tfApplySetField = 14
)

func decTableFeaturesRequest(d *decoder) Message {
	return &TableFeaturesRequest{Tables: d.tableFeaturesList()}
}

func decTableFeaturesReply(d *decoder) Message {
	return &TableFeaturesReply{Tables: d.tableFeaturesList()}
}

func (d *decoder) tableFeaturesList() []TableFeatures {
	var out []TableFeatures
	for d.left() > 0 && d.err == nil {
		out = append(out, d.tableFeatures())
	}
	return out
}

func (d *decoder) tableFeatures() TableFeatures {
	n := int(d.u16())
	f := TableFeatures{TableID: d.u8()}
	f.Command = d.u8()
	d.skip(4)
	f.Name = d.str(32)
	f.MetadataMatch, f.MetadataWrite = d.u64(), d.u64()
	caps := d.u32()
	f.MaxEntries = d.u32()
	if d.Version < V15 {
		f.Command = 0
	} else if f.Command > 3 {
		d.fail(ErrTFFCBadCommand)
	}
	if d.Version >= V14 {
		f.SupportsEviction, f.SupportsVacancy = caps&tableEviction != 0, caps&tableVacancyEvents != 0
	}
	if n < 64 {
		d.fail(ErrBPCBadLen)
	}
	c := d.sub(n-64, ErrBPCBadLen)
	for c.left() > 0 && c.err == nil {
		t, _, b := c.prop()
		f.AnyProps = true
		d.tableProp(&f, t, &b)
		c.failErr(b.err)
	}
	d.failErr(c.err)
	if f.AnyProps && d.err == nil {
		d.checkFeatures(&f)
	}
	return f
}

// checkFeatures: a field that may be masked or omitted must be matchable.
func (d *decoder) checkFeatures(f *TableFeatures) {
	for i := range f.Match {
		if f.Wildcard[i]&^f.Match[i] != 0 {
			f.Wildcard[i] &= f.Match[i]
		}
	}
}

func (d *decoder) tableProp(f *TableFeatures, t uint16, b *cursor) {
	ti := &f.NonMiss
	if t&1 != 0 {
		ti = &f.Miss
	}
	switch t &^ 1 {
	case tfInstructions:
		ti.Instructions = instructionProp(b)
	case tfNextTables:
		for b.left() > 0 {
			id := b.u8()
			ti.Next[id/8] |= 1 << (id % 8)
		}
	case tfWriteActions:
		ti.Write.Actions = actionProp(b, d.Version)
	case tfApplyActions:
		ti.Apply.Actions = actionProp(b, d.Version)
	case tfMatch:
		f.Match, f.Mask = fieldProp(b)
	case tfWildcards:
		f.Wildcard, _ = fieldProp(b)
	case tfWriteSetField:
		ti.Write.SetField, _ = fieldProp(b)
	case tfApplySetField:
		ti.Apply.SetField, _ = fieldProp(b)
	case 0xfffe:
		b.rest()
	default:
		b.fail(ErrTFFCBadFeatures)
	}
}

func instructionProp(b *cursor) (set uint32) {
	for b.left() > 0 && b.err == nil {
		t, n := b.u16(), int(b.u16())
		b.skip(n - 4)
		if t >= 1 && t <= InstMeter {
			set |= 1 << t
		}
	}
	return set
}

func actionProp(b *cursor, v Version) (set uint64) {
	var raw uint32
	for b.left() > 0 && b.err == nil {
		t, n := b.u16(), int(b.u16())
		b.skip(n - 4)
		if t < 32 {
			raw |= 1 << t
		}
	}
	return decActionBits(raw, v)
}

func fieldProp(b *cursor) (set, masked FieldSet) {
	for b.left() > 0 && b.err == nil {
		h := b.oxmWire(ErrBPCBadLen)
		n := h.payload
		if h.hasMask {
			n /= 2
		}
		f := flow.FieldByHeader(flow.MakeHeader(h.class, h.exp, h.num, n))
		if f == nil {
			continue
		}
		set.Add(uint16(f.ID))
		if h.hasMask {
			masked.Add(uint16(f.ID))
		}
	}
	return set, masked
}

func (e *encoder) encodeTableFeatures(name string, tables []TableFeatures) {
	e.start(name)
	for i := range tables {
		e.tableFeatures(&tables[i])
		e.endEntry()
	}
}

func (e *encoder) tableFeatures(f *TableFeatures) {
	start := e.len()
	e.u16(0)
	e.u8(f.TableID)
	if e.v >= V15 {
		e.u8(f.Command)
	} else {
		e.pad(1)
	}
	e.pad(4)
	e.str(f.Name, 32)
	e.u64(f.MetadataMatch)
	e.u64(f.MetadataWrite)
	var caps uint32
	if e.v >= V14 {
		caps = uint32(b2u(f.SupportsEviction))*tableEviction | uint32(b2u(f.SupportsVacancy))*tableVacancyEvents
	}
	e.u32(caps)
	e.u32(f.MaxEntries)
	if f.AnyProps {
		e.tableProps13(f)
	}
	e.put16(start, e.len()-start)
}

func (e *encoder) tableProps13(f *TableFeatures) {
	both := []*TableInstructions{&f.NonMiss, &f.Miss}
	for i, t := range both {
		p := e.propStart(uint16(tfInstructions + i))
		for k := InstGoto; k <= InstMeter; k++ {
			if t.Instructions&(1<<k) != 0 && !(k == InstMeter && e.v >= V15) {
				e.u16(uint16(k))
				e.u16(4)
			}
		}
		e.propEnd(p)
	}
	for i, t := range both {
		p := e.propStart(uint16(tfNextTables + i))
		for id := range 255 {
			if t.Next[id/8]&(1<<(id%8)) != 0 {
				e.u8(uint8(id))
			}
		}
		e.propEnd(p)
	}
	for j, typ := range []uint16{tfWriteActions, tfApplyActions} {
		for i, t := range both {
			p := e.propStart(typ + uint16(i))
			a := t.Write.Actions
			if j == 1 {
				a = t.Apply.Actions
			}
			e.actionProp(encActionBits(a, e.v))
			e.propEnd(p)
		}
	}
	e.fieldProp(tfMatch, &f.Match, &f.Mask)
	e.fieldProp(tfWildcards, &f.Wildcard, nil)
	for i, t := range both {
		e.fieldProp(uint16(tfWriteSetField+i), &t.Write.SetField, nil)
	}
	for i, t := range both {
		e.fieldProp(uint16(tfApplySetField+i), &t.Apply.SetField, nil)
	}
}

func (e *encoder) actionProp(bits uint32) {
	for i := range 32 {
		if bits&(1<<i) != 0 {
			e.u16(uint16(i))
			e.u16(4)
		}
	}
}

func (e *encoder) fieldProp(typ uint16, s, masked *FieldSet) {
	p := e.propStart(typ)
	for i := range flow.NumFields {
		if s.Has(uint16(i)) {
			e.oxmHead(flow.FieldID(i).Field(), masked != nil && masked.Has(uint16(i)), e.v)
		}
	}
	e.propEnd(p)
}
